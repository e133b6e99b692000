"""What can be said of a pickle without unpickling it, which would run what it says."""

import contextlib
import pickletools
import re
from itertools import islice


def function_in(pickled: bytes) -> str:
    """The function that a pickled call of arq names, the text after the key `f`; '' where there is none."""
    with contextlib.suppress(Exception):  # it is no pickle
        steps = [step for step in islice(pickletools.genops(pickled), 20) if not re.search("MEMO|PUT", step[0].name)]
        texts = [str(value) if "UNICODE" in step.name else "" for step, value, _ in steps]
        return texts[texts.index("f") + 1]
    return ""
