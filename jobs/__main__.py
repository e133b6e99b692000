"""`python -m jobs`: see what workers do, and tell them what to do."""

from .commands import main

if __name__ == "__main__":
    main()
