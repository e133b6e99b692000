"""One claimed job, from its payload to its outcome."""
