"""Reminders: texts mailed at a set time. SQL holds the truth; Redis is only the alarm clock."""
