"""The name that the library has in this process: `quarq_jobs` as installed, `jobs` in a clone of its repository."""

import sys
from typing import Final

NAME: Final = __name__.partition(".")[0]
COMMAND: Final = f"python -m {NAME}"  # As a person types it.


def refuse_two() -> None:
    """ImportError if it is here under its other name too: each would have connections and tasks of its own."""
    for other in {"jobs", "quarq_jobs"} - {NAME}:
        if __name__.replace(NAME, other, 1) in sys.modules:  # a `jobs` of the application has no such module
            raise ImportError(
                f"{NAME} and {other} are the same library, and {other} is imported already: "
                f"write `from {other} import ...` everywhere in this process"
            )
