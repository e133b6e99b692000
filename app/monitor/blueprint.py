"""The monitor's one blueprint, to which each module adds its pages. All are for the owner, and none reads SQL."""

from __future__ import annotations

from quart import Blueprint

blueprint = Blueprint("monitor", __name__, template_folder="templates", url_prefix="/monitor")
