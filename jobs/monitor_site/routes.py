"""The monitor's one blueprint, to which each module of `pages/` adds its addresses. None of them reads SQL."""

from __future__ import annotations

from quart import Blueprint

blueprint = Blueprint("monitor", __name__)
