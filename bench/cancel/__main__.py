"""``python -m bench.cancel``."""

from bench.cancel.ways import main

main()
