"""The table of keys, and that tests hold Redis against it."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from jobs import keys
from tests.jobs.key_table import assert_as_documented, table


def test_every_constant_is_in_the_table() -> None:
    names = [
        value
        for name, value in vars(keys).items()
        if name.isupper()
        and isinstance(value, str)
        and value.startswith(("arq:", "jobs:"))
        and name not in ("REPLY", "CONTROL", "PROGRESS", "NEWS", "EVENTS", "ENDS")  # channels are no keys
