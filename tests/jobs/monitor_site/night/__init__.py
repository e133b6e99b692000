"""One night of a shop, whose names and numbers dice have chosen, and the eleven questions that are asked in it."""
