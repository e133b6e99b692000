"""The reminders of an account as a calendar that other programs subscribe to."""
