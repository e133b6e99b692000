"""docs/options.md: every option, method and error, as the code itself describes them. `python -m tests.reference`."""
