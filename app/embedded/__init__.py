"""The embedded servers of `make run`: Redis, a mail catcher and its inbox page. Nothing else needs installing."""
