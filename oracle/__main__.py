"""``python -m oracle``: one committee member, and what its operator asks about it."""

from oracle.cli import main

if __name__ == "__main__":
    main()
