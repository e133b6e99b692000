"""What a calling process does: declare tasks, call them, ask for results."""
