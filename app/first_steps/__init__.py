"""The first steps of the owner: four things to try, on the home page, each with its job in the monitor."""

from app.first_steps.pages import blueprint

__all__ = ["blueprint"]
