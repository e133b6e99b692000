"""Tasks to play with: from `make shell`, and to watch in the monitor."""
