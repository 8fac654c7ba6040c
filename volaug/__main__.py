"""`python -m volaug` is the command `volaug`."""

from .cli import main

if __name__ == "__main__":
    main()
