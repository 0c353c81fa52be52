"""One table and one plot from the runs of several boards."""
