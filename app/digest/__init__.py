"""The weekly digest: what was published, mailed to every subscriber once."""
