"""A person's data: shown, exported, erased on request and after a time."""
