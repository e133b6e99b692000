"""A shop that runs its jobs on arq."""
