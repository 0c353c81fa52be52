"""The four scenarios of EdgeAgent (ddps-lab, 2025), placed by every scheduler from its figures.

python -m bench.scenarios            # writes docs/results.md and its plots
python -m bench.scenarios --json     # prints the figures, writes nothing
"""
