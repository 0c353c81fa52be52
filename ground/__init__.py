"""What both programs stand on: files, addresses, directories, who may enter, command lines."""

__version__ = "0.1.0"  # of all packages here; the wheel takes it from this line
