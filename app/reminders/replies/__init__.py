"""Answer a reminder from its mail: done, later, or stop."""
