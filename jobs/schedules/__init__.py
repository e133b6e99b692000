"""When tasks are due by themselves, and what Redis has of it."""
