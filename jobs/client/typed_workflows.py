"""Signatures, groups, chains and chords, under the names that their types have in typed_workflows.pyi.

A type checker reads that file: canvas.py is below `Result` and knows no types. This is what runs.
"""

from typing import TypeVar

from ..workflows.canvas import Node, Signature, chain, chord, group

__all__ = ["Node", "R_co", "Signature", "chain", "chord", "group"]

R_co = TypeVar("R_co", covariant=True)
"""What a job gives."""
