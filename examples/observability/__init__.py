"""A small shop whose logs, errors, traces and metrics can be seen: see README.md."""
