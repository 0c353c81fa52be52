"""Images of boards of other instruction sets, from a PC: their engine, and file systems to run.

Nothing here runs on a board. It builds what PyPI lacks for riscv64, makes a root file system
for each instruction set, and runs programs in it under QEMU (docs/boards.md).
"""
