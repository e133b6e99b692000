"""Who may import whom: `worker.py -> app -> jobs -> arq, redis`, and no arrow ever turns back."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.floors import FLOORS

ROOT = Path(__file__).resolve().parent.parent
MAY_IMPORT = {
    "email_addresses": {"jobs"},
    "settings_readers": {"jobs", "email_addresses"},  # they read a Redis address as the library does
    "settings": {"settings_readers", "email_addresses"},
    "jobs": set[str](),  # a library: it is given its Redis, it never looks for one
    "pytest_quarq_jobs": set[str](),  # it imports the library by name, when a fixture is asked for
    "app": {"jobs", "settings", "email_addresses"},
    "worker": {"app", "jobs", "settings"},
}
PUBLIC = ("jobs", "jobs.monitor", "jobs.monitor_site", "jobs.monitor_site.web", "jobs.contrib")
"""What of the library others may import from."""
CONTRIB = {
    "jobs/contrib/django_tasks.py": {"asgiref", "django", "django_tasks"},
    "jobs/contrib/models.py": {"msgspec", "pydantic_core"},
    "jobs/contrib/otel.py": {"opentelemetry"},
    "jobs/contrib/prometheus.py": {"prometheus_client"},
    "jobs/contrib/sentry.py": {"sentry_sdk"},
    "jobs/contrib/sentry_variables.py": {"sentry_sdk"},
    "jobs/contrib/watch.py": {"watchfiles"},
}
"""What each module of contrib needs besides: nothing else of the library imports it."""
LIBRARIES_OF_PAGES = {"hypercorn", "jinja2", "quart", "werkzeug"}
"""What `jobs/monitor_site/` needs besides: the extra `monitor`."""
LIBRARIES_OF_JOBS = {"arq", "redis", "hiredis", "msgpack", "pebble", "click"}
MAY_READ_SETTINGS = re.compile(
    r"settings\.py|app/private_files\.py|pytest_quarq_jobs\.py"
    r"|jobs/contrib/supervisor\.py|jobs/worker/process\.py"
)
READS_PICKLE = "jobs/contrib/pickled.py"
"""Imported by a worker with `accept_pickle=True`, and by a project that moves from arq."""
UNSAFE = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve"}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def source() -> list[Path]:
    files = [path for part in MAY_IMPORT for path in (ROOT / part).rglob("*.py")]
    return sorted(files + [ROOT / f"{part}.py" for part in MAY_IMPORT if (ROOT / f"{part}.py").exists()])


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def imports(path: Path) -> list[tuple[str, list[str]]]:
    """Each import as (module, names), wherever it stands in the file."""
    return list(_imports(path))


def _imports(path: Path) -> Iterator[tuple[str, list[str]]]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            in_jobs = relative(path).startswith("jobs/")
            if in_jobs:
                assert node.level or not f"{node.module}.".startswith("jobs."), (
                    f"{relative(path)}:{node.lineno}: import relatively, the folder may have another name"
                )
            else:
                assert node.level == 0, f"{relative(path)}:{node.lineno}: write the import with its full name"
            above = ".".join(relative(path).split("/")[: -node.level]) if node.level else ""
            yield f"{above}.{node.module or ''}".strip("."), [alias.name for alias in node.names]


@cache
def public_names(module: str) -> set[str]:
    inside = ROOT / module.replace(".", "/") / "__init__.py"
    if module in ("jobs.contrib", "jobs.monitor_site.web"):
        return {path.stem for path in inside.parent.glob("*.py")}
    if module == "jobs.monitor":
        return public_names("jobs.monitor_site.model")
    offered = {name for _, names in imports(inside) for name in names}
    renamed = {name for name in ast.walk(parsed(inside)) if isinstance(name, ast.alias) and name.asname}
    return (
        offered | {str(name.asname) for name in renamed} | ({"monitor", "monitor_site"} if module == "jobs" else set())
    )


def inside(module: str) -> dict[str, set[str]]:
    """Each module of a package with those of the same package that it imports, for types too."""
    files = {
        relative(path).removesuffix(".py").removesuffix("/__init__").replace("/", "."): path
        for path in source()
        if relative(path).startswith(f"{module}/")
    }
    arrows: dict[str, set[str]] = {}
    for name, path in files.items():
        reached = {
            whole if (whole := f"{found}.{part}") in files else found
            for found, parts in imports(path)
            for part in parts or [""]
        }
        arrows[name] = (reached & files.keys()) - {name}
    return arrows


def every_file(check: Callable[[Path], None]) -> Callable[[], None]:
    """One test for all files, which says whose the failure is: 3,000 tests would take longer than what they do."""

    def test() -> None:
        for path in source():
            try:
                check(path)
            except AssertionError as error:
                error.add_note(f"in {relative(path)}")
                raise

    test.__name__, test.__doc__ = check.__name__, check.__doc__
    return test


@every_file
def test_no_arrow_turns_back(path: Path) -> None:
    part = relative(path).split("/")[0].removesuffix(".py")

    for module, _ in imports(path):
        root = module.split(".")[0]
        assert root not in MAY_IMPORT.keys() - MAY_IMPORT[part] - {part}, f"{relative(path)} may not import {module}"
        if part == "jobs" and root != "jobs" and root not in sys.stdlib_module_names:
            pages = LIBRARIES_OF_PAGES if relative(path).startswith("jobs/monitor_site/") else set()
            assert root in LIBRARIES_OF_JOBS | pages | CONTRIB.get(relative(path), set()), (
                f"{relative(path)} may not import {module}"
            )


@every_file
def test_only_public_names_of_jobs_are_used_outside(path: Path) -> None:
    if relative(path).startswith("jobs/"):
        return

    for module, names in imports(path):
        shared = module.startswith("jobs.monitor_site.web.")
        assert module in PUBLIC or shared or not module.startswith("jobs."), (
            f"{relative(path)} reaches into {module}: use `from jobs import ...`"
        )
        if module in PUBLIC:
            assert set(names) <= public_names(module), f"{relative(path)} imports what {module} does not offer"


def test_rooms_of_the_library_are_reached_in_one_direction() -> None:
    rooms = [room for floor in FLOORS for room in floor]
    height = {room: level for level, floor in enumerate(FLOORS) for room in floor}

    def room_of(module: str) -> str:
        return [*module.split("."), "__init__"][1]

    arrows = inside("jobs")
    backwards = [
        f"{module} -> {reached}"
        for module, all_reached in arrows.items()
        for reached in all_reached
        if height[room_of(module)] < height[room_of(reached)]
        or (height[room_of(module)] == height[room_of(reached)] and room_of(module) != room_of(reached))
    ]

    assert {room_of(module) for module in arrows} == set(rooms)
    assert backwards == []


@every_file
def test_nothing_stored_or_logged_is_named_after_the_folder(path: Path) -> None:
    if relative(path).startswith("jobs/"):
        assert "getLogger(__name__)" not in path.read_text(), "the folder may have another name: write `jobs.x`"


def test_no_module_of_the_library_is_reached_from_itself() -> None:
    arrows = inside("jobs")
    arrows.pop("jobs")  # it only names what others may import

    while leaves := [name for name, reached in arrows.items() if not reached & arrows.keys()]:
        for name in leaves:
            del arrows[name]

    assert arrows == {}, f"a circle among {sorted(arrows)}: let the lower one say what it needs as a Protocol"


def defined_in(path: Path) -> set[str]:
    """The names that a module gives to something at its top level."""
    found: set[str] = set()
    for node in parsed(path).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.ImportFrom) and path.name == "__init__.py":
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            found |= {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
    return found


@every_file
def test_no_module_has_the_name_of_what_it_defines(path: Path) -> None:
    if relative(path).startswith("jobs/"):
        inner = path.parent.iterdir() if path.name == "__init__.py" else [path]
        modules = {module.stem for module in inner if module.suffix == ".py" or module.is_dir()}
        assert not modules & defined_in(path), "`from x import name` gives the one or the other"
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    defined = {node.name for node in parsed(path).body if isinstance(node, functions)}
    assert path.stem not in defined, "`from x import name` gives the one or the other"


@every_file
def test_types_are_imported_like_everything_else(path: Path) -> None:
    hidden = [
        ast.unparse(inner)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
        if isinstance(inner, ast.ImportFrom) and not inner.level and (inner.module or "").split(".")[0] in MAY_IMPORT
    ]

    assert hidden == [], f"{relative(path)} hides an arrow from readers: {hidden}"


@every_file
def test_nothing_that_runs_code_from_data_is_imported(path: Path) -> None:
    found = {module.split(".")[0] for module, _ in imports(path)} & UNSAFE

    assert found == ({"pickle"} if relative(path) == READS_PICKLE else set())


def test_what_reads_pickle_is_imported_only_where_it_is_switched_on() -> None:
    importing = [
        (relative(path), node.col_offset)
        for path in source()
        for node in ast.walk(parsed(path))
        if (isinstance(node, ast.ImportFrom | ast.Import) and "pickled" in ast.unparse(node))
        or (isinstance(node, ast.Constant) and str(node.value).endswith(".pickled"))
    ]

    assert len(importing) == 1
    assert importing[0][0] == "jobs/worker/worker_options.py"
    assert importing[0][1] > 0  # inside the function that the option asks for


@every_file
def test_only_the_starts_of_processes_read_the_environment(path: Path) -> None:
    text = path.read_text()

    if not MAY_READ_SETTINGS.fullmatch(relative(path)):
        assert re.search(r"from_env\(|os\.environ|os\.getenv", text) is None


@every_file
def test_a_module_says_what_it_is_for_and_its_name_too(path: Path) -> None:
    assert ast.get_docstring(parsed(path)), f"{relative(path)} has no docstring"
    assert path.stem not in {"utils", "helpers", "common", "base", "misc"}


OF_THE_COMMANDS = {
    "jobs.commands", "jobs.monitor", "jobs.values", "jobs.errors",
    "jobs.monitor_site",  # where the time of a workflow went, and to serve the pages
    "jobs.client.connection", "jobs.store.default", "jobs.store.outage",  # to connect
    "jobs.client.result",  # to wait for one
    "jobs.tasks.registry", "jobs.workflows.canvas",  # to call a task
}  # fmt: skip
"""What the commands may import: they read and act through `jobs.monitor`, as the pages do."""


@every_file
def test_commands_see_only_what_pages_see(path: Path) -> None:
    if not relative(path).startswith("jobs/commands/"):
        return

    for module, names in imports(path):
        reached = {f"{module}.{name}" for name in names} if module in ("jobs", "jobs.store", "jobs.tasks") else {module}
        for inner in (inner for inner in reached if inner.startswith("jobs.")):
            allowed = inner in OF_THE_COMMANDS or inner.startswith(("jobs.commands.", "jobs.values."))
            assert allowed, f"{relative(path)} may not import {inner}: let jobs.monitor offer it"
        if module == "jobs.monitor":
            assert set(names) <= public_names(module)


@pytest.mark.parametrize("name", ["celery", "kombu", "billiard", "quart-wtf"])
def test_what_we_do_without_is_not_installed(name: str) -> None:
    for file in ("pyproject.toml", "requirements.lock"):
        assert re.search(rf'^\s*"?{name}\b', (ROOT / file).read_text(), re.MULTILINE | re.IGNORECASE) is None


FLOORS_OF_THE_SITE = [
    {"context", "logs", "private_files", "tokens"},
    {"database", "mail", "times"},
    {"migrations", "web"},
    {"mail_limits", "security_log"},
    {"accounts", "security"},
    {"about", "blog", "embedded", "health", "playground", "reminders", "subscribers"},
    {"digest", "mounting"},
    {"first_steps", "metrics", "privacy"},
    {"__init__", "background"},  # what puts them together: for pages, for workers
    {"serve", "shell"},
]
"""The rooms of `app/`, from the ground up: each imports only rooms of lower floors."""
FLOOR = {room: number for number, rooms in enumerate(FLOORS_OF_THE_SITE) for room in rooms}


@every_file
def test_no_room_of_the_site_imports_one_above_it(path: Path) -> None:
    if not relative(path).startswith("app/"):
        return
    here = relative(path).split("/")[1].removesuffix(".py")
    assert here in FLOOR, f"{here} is on no floor of the site"

    for module, names in imports(path):
        rooms = [module.split(".")[1]] if module.startswith("app.") else []
        if module == "app":
            rooms = [name if name in FLOOR else "__init__" for name in names]  # or `create_app`
        for room in rooms:
            assert room == here or FLOOR[room] < FLOOR[here], f"{relative(path)} may not import {room}"


def test_migrations_are_one_chain_in_the_order_of_their_numbers() -> None:
    """Two that follow the same one stop every start, and each of them alone looks right."""
    files = sorted((ROOT / "app/migrations/versions").glob("*.py"))
    found = [re.findall(r'^(?:down_)?revision = (?:"(\d+)"|None)$', file.read_text(), re.MULTILINE) for file in files]

    numbers = [file.name[:4] for file in files]
    assert found == [list(pair) for pair in zip(numbers, ["", *numbers], strict=False)]
