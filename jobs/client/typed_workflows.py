"""Workflows as they run. The .pyi of the same name has their types: canvas.py is below `Result` and knows none."""

from typing import TypeVar

from ..workflows.canvas import Node, Signature, chain, chord, group

__all__ = ["Node", "R_co", "Signature", "chain", "chord", "group"]

R_co = TypeVar("R_co", covariant=True)  # What a job gives.
