"""Who gets the weekly digest: asked for, confirmed by mail, and gone again with one click."""
