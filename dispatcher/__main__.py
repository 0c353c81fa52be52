"""`python -m dispatcher` is `sanderling`."""

from dispatcher.cli import main

if __name__ == "__main__":
    main()
