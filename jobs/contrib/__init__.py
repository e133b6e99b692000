"""What other people's packages and tools need: a module for each.

A worker imports a module of these by its name, and only where it is switched on.
"""
