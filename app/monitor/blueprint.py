"""The monitor's one blueprint: each module of pages adds its own to it. All are for the owner, none asks SQL."""

from __future__ import annotations

from quart import Blueprint

blueprint = Blueprint("monitor", __name__, template_folder="templates", url_prefix="/monitor")
