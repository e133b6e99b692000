"""Reminders: a text that is mailed to its owner at a set time. SQL is the truth, Redis only the alarm clock."""
