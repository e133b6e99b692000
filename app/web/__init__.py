"""What serves every page, and belongs to no feature."""
