"""What needs a package of somebody else: a module for each.

A worker imports a module of these by its name, and only where it is switched on.
"""
