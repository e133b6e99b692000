"""The weekly digest: new posts, mailed once to every subscriber."""
