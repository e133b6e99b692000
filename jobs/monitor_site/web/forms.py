"""The parts of every form, as macros: `{% import "forms.html" as forms with context %}`."""

from __future__ import annotations

from quart import Blueprint, Quart


def prepare(app: Quart) -> None:
    """Let the templates of *app* find `forms.html`."""
    app.register_blueprint(Blueprint("forms", __name__, template_folder="templates"))
