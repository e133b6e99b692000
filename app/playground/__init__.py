"""Examples to run with one click, and their tasks: from `make shell` too, and to watch in the monitor."""
