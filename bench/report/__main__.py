"""``python -m bench.report``."""

from bench.report.boards import main

main()
