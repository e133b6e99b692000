"""`python -m jobs`: watch workers and jobs, and control them."""

from .commands import main

if __name__ == "__main__":
    main()
