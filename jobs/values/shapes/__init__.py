"""Shapes: how values of annotated types become plain data to travel, and how they are rebuilt from it."""
