"""What benchmarks share: processes to measure, the command line, tables and plots."""
