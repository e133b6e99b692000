"""Consents: the reader of an address has agreed to get reminders from an account."""
