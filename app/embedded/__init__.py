"""What `make run` brings along, so that nothing needs installing: Redis, a mail catcher, its inbox page."""
