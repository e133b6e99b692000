"""The pages, a module for each: it adds its addresses to the blueprint when it is imported."""

from importlib import import_module
from pkgutil import iter_modules

from quart import Quart

from .. import wording as _filters  # noqa: F401  # it adds them to the same blueprint
from ..routes import blueprint


def register(app: Quart) -> None:
    """Give *app* every page: those of all modules in this folder."""
    for module in iter_modules(__path__):
        import_module(f".{module.name}", __name__)
    app.register_blueprint(blueprint)
