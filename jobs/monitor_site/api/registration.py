"""Gives the application every address of the API."""

from importlib import import_module
from pkgutil import iter_modules

from quart import Quart

from . import answers, endpoints, paths


def register(app: Quart) -> None:
    """Give *app* every address of the API: those of all modules in `paths/`."""
    for module in iter_modules(paths.__path__):
        import_module(f".{module.name}", paths.__name__)
    app.url_map.converters["name"] = endpoints.NameConverter
    app.register_blueprint(endpoints.blueprint)
    answers.prepare(app)
