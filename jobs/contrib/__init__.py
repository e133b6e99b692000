"""What other people's packages and tools need: a module for each.

Callers and workers import a module of these by its name, and only where the application uses its package.
"""
