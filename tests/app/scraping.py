"""Figures as Prometheus reads them."""

from __future__ import annotations

import re

from quart import Quart

TOKEN = "a token of 24 characters"


SAMPLE = re.compile(r'(\w+)(\{(?:\w+="(?:[^"\\\n]|\\.)*",?)+\})? (-?[0-9.e+-]+|\+Inf)')


async def page(app: Quart) -> str:
    """All of it, as it is sent."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Host": "10.0.0.7:8000"}
    response = await app.test_client().get("/metrics", headers=headers)
    assert response.status_code == 200
    return await response.get_data(as_text=True)


async def scrape(app: Quart) -> dict[str, float]:
    """Each sample by its name and labels, as a scraper reads them."""
    text = await page(app)
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in samples(text)}


def samples(text: str) -> list[str]:
    found = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(SAMPLE.fullmatch(line) for line in found), found
    return found
