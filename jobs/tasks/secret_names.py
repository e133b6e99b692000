"""Which parameters hold what nobody should see, by their names."""

import re
from functools import lru_cache

_SECRET = re.compile(
    r"passw|passphrase|passcode|secret|token|credential|authori[sz]ation|apikey"
    r"|(?:^|[^a-z])(?:key|pass|pwd|auth|cookie|pin|otp)s?(?:$|[^a-z])",
    re.IGNORECASE,
)


@lru_cache(4096)
def is_secret(name: str) -> bool:
    """Does a parameter of this name hold what nobody should see? `api_key` and `apiKey` do, `keyboard` does not."""
    return _SECRET.search(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)) is not None
