"""Workflows as releases left them in Redis: what every later version must still replay."""
