"""What is in Redis, and how it is reached."""
