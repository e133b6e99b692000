"""What can be said of a pickle without unpickling it, which would run what it says."""

import contextlib
import pickletools
from itertools import islice

PICKLED = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"\x8f\x80")
"""What a pickle begins with, and no call in msgpack; the last is one of ours, see contrib.pickled."""
LOOKED_AT = 20
"""Of its steps: a call of arq names its function with the ninth."""


def function_in(pickled: bytes) -> str:
    """The function that a pickled call names, the text after the key `f`; '' where there is none."""
    steps = ((step.name, value) for step, value, _ in islice(pickletools.genops(pickled), LOOKED_AT))
    values = ((name, value) for name, value in steps if name != "MEMOIZE" and "PUT" not in name)
    with contextlib.suppress(Exception):  # it is cut off, or no pickle
        while next(values)[1] != "f":
            pass
        kind, name = next(values)
        return str(name) if "UNICODE" in kind else ""
    return ""
