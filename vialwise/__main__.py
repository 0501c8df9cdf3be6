"""`python -m vialwise`."""

from vialwise.cli import main

if __name__ == "__main__":
    main()
