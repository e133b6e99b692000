"""Calls as values, and how they are stored."""
