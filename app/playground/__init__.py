"""Examples to run with one click, and their tasks. They also run from `make shell`, and the monitor shows them."""
