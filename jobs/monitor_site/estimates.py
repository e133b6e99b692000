"""Percentiles in words: they are estimates, made of counts by powers of 2."""

from ..values.short_text import duration_text


def about_text(seconds: float) -> str:
    """`~12 ms`; `<1 ms`."""
    words = duration_text(seconds)
    return words if words.startswith("<") else f"~{words}"
