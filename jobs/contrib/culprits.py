"""Which argument of a call cannot travel: looked for when one of them cannot."""

import contextlib
from collections.abc import Mapping
from typing import Any

from .. import encoding
from ..errors import EncodingError, TooLarge
from ..tasks import registry
from ..workflows.canvas import Node, Signature


def naming(node: Node, error: EncodingError) -> EncodingError:
    """The error of a call's arguments, saying which argument of which task it is."""
    name = node.task if isinstance(node, Signature) else type(node).__name__
    if isinstance(error, TooLarge):
        return TooLarge(f"{name}: {error}")
    arguments: Mapping[Any, Any] = dict(enumerate(node.args, 1)) | node.kwargs
    task = registry.find(name) if isinstance(node, Signature) else None
    if task is not None:
        with contextlib.suppress(TypeError):  # a partial lacks arguments
            arguments = task.parameters.bind(node.args, node.kwargs)
    for argument, value in arguments.items():
        try:
            encoding.dumps(value)
        except EncodingError as reason:
            own = task and task.parameters.annotations
            return EncodingError(f"{name}: argument {argument!r}: {reason}{own.hint(argument) if own else ''}")
    return EncodingError(f"{name}: {error}")
