"""The routes of an application, compiled once for all tests: it is nearly all of making an application."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from werkzeug.routing import Rule

COMPILED: dict[tuple[object, ...], dict[str, object]] = {}
MADE_BY_COMPILING = ("arguments", "_parts", "_trace", "_converters", "_build", "_build_unknown")


@pytest.fixture(scope="session", autouse=True)
def compiled_once() -> Iterator[None]:
    """A route is compiled for the first application only."""
    compile_anew = Rule.compile

    def compile_rule(rule: Rule) -> None:
        key = (rule.rule, rule.subdomain, rule.host, rule.merge_slashes, repr(rule.defaults))
        if key not in COMPILED:
            compile_anew(rule)
            COMPILED[key] = {name: vars(rule)[name] for name in MADE_BY_COMPILING}
        vars(rule).update(COMPILED[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "compile", compile_rule)
        yield
