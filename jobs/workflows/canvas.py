"""Workflows as values: signatures, and the groups, chains and chords made of them.

A workflow is a tree of frozen nodes: node.py has what they share. `evaluate` gives a tree its meaning. How a task is
called is passed in: the same tree runs here (`await tree()`) and on workers (`await tree.delay()`).
"""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

from ..store import default
from ..tasks import registry
from ..tasks.call_options import merged
from ..values import checks
from ..values.calls import all_awaited
from ..values.short_text import text
from .gathering import gather
from .node import OF_THE_JOB, OF_THE_NODE, Partial, nodes_of

Path: TypeAlias = tuple[int, ...]
"""The position of a node in its tree; job ids are made of it. The root is (), member i of a group and step i of a chain
add (i,), a chord's header (0,) and its body (1,), callback i of a workflow (-1, i), its error callback i (-2, i)."""

LINK, LINK_ERROR = -1, -2

Call: TypeAlias = Callable[["Signature", Path], Awaitable[Any]]
"""Call one task. On workers it returns a bare future: an asyncio.Task for each of 100,000 members is too expensive."""

logger = logging.getLogger("jobs.workflows")


@all_awaited
class Node(Partial):
    """A call not yet made, that can be made: here, or on workers."""

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run all of it here, in this process; returns the result itself."""
        return await evaluate(self, args, kwargs)

    async def delay(self, *args: Any, **kwargs: Any) -> Any:
        """Run it on workers; returns its Result at once."""
        return await self.apply_async(args, kwargs)

    async def apply_async(
        self, args: Iterable[Any] = (), kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> Any:
        """Run it on workers, with the options of `Task.apply_async`; those given here win over its own."""
        node = self.clone(args, kwargs, **options)
        inner = {name: value for name, value in node.options.items() if name not in OF_THE_JOB}
        return await default.current().submit(node._with(options=inner), node.options)

    def __or__(self, other: "Node") -> "Node":
        """First this; then *other*, with the result as its first argument."""
        return chain(self, other) if isinstance(other, Node) else NotImplemented


@dataclass(frozen=True, init=False, repr=False)
class Signature(Node):
    """One call of one task."""

    task: str

    def __init__(
        self,
        task: str,
        args: Iterable[Any] | None = (),
        kwargs: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        immutable: bool = False,
    ) -> None:
        kwargs = checks.by_name("kwargs", kwargs) if kwargs else {}
        if immutable is not False:
            checks.flag("immutable", immutable)
        self._fill(args, options, task=task, kwargs=kwargs, immutable=immutable)

    def map(self, items: Iterable[Any]) -> "Signature":
        """One job that calls this with each item in turn: the list of results."""
        return Signature("jobs.map", (self.to_dict(), list(items)), immutable=True)

    def starmap(self, items: Iterable[Iterable[Any]]) -> "Signature":
        """As `map`, each item being all the positional arguments of its call."""
        return Signature("jobs.starmap", (self.to_dict(), [list(item) for item in items]), immutable=True)

    def chunks(self, items: Iterable[Iterable[Any]], n: int) -> "group":
        """A group of starmaps over *n* items each: a list of lists of results."""
        n = checks.count("n", n, least=1)
        rest = iter(items)
        return group(self.starmap(part) for part in iter(lambda: list(islice(rest, n)), []))

    def _content(self) -> dict[str, Any]:
        return {"task": self.task}

    def __repr__(self) -> str:
        kwargs = [f"{name}={value!r}" for name, value in self.kwargs.items()]
        return f"{self.task}({', '.join([*map(repr, self.args), *kwargs])})"


@dataclass(frozen=True, init=False, repr=False)
class Workflow(Node):
    """Many calls: what groups, chains and chords have in common."""

    tasks: tuple[Node, ...]

    def _content(self) -> dict[str, Any]:
        return {type(self).__name__: [node._to_tree() for node in self.tasks]}

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self.tasks[:10]))
        more = f", ... {len(self.tasks)} in all" if len(self.tasks) > 10 else ""
        return f"{type(self).__name__}([{shown}{more}])"


class group(Workflow):
    """All at once; the result is the list of theirs, in the order given.

    It ends when every member has ended. If some failed, the first of them in order is raised;
    with `return_exceptions=True` the errors are in the list instead. `max_concurrency=n`: at most n
    are under way. The list of a group directly inside a group is part of its list, as in Celery.
    """

    def __init__(self, *tasks: Node | Iterable[Node], **options: Any) -> None:
        members: list[Node] = []
        for node in nodes_of(tasks):
            while isinstance(node, chain) and len(node.tasks) == 1 and node._is_plain():
                [node] = node._steps()
            if isinstance(node, group) and node._is_plain():
                members += (member.clone(node.args, node.kwargs) for member in node.tasks)
            elif not isinstance(node, chain) or node.tasks:  # a chain of no steps has no result
                members.append(node)
        self._fill((), options, tasks=tuple(members))

    def __or__(self, other: Node) -> Node:
        if other == chain():  # nothing follows: still a group, which another one may take in
            return self
        return chord(self, other) if isinstance(other, Node) else NotImplemented


class chain(Workflow):
    """One after the other, each with the result of the one before; the result is the last one's."""

    def __init__(self, *tasks: Node | Iterable[Node], **options: Any) -> None:
        steps: list[Node] = []
        for node in nodes_of(tasks):
            steps += node._steps() if isinstance(node, chain) and node._is_plain() else [node]
        self._fill((), options, tasks=tuple(steps))

    def __repr__(self) -> str:
        return " | ".join(map(repr, self.tasks)) if self.tasks else "chain()"

    def _steps(self) -> list[Node]:
        return [*(step.clone(self.args, self.kwargs) for step in self.tasks[:1]), *self.tasks[1:]]


class chord(Workflow):
    """A group, then a body with the list of its results; the body is not called if a member failed.
    `chord(header)(body)` is `chord(header, body)`. Awaiting that runs it here, like any call of a node."""

    def __init__(self, header: Node | Iterable[Node], body: Node | None = None, **options: Any) -> None:
        whole = header if isinstance(header, group) else group(header)
        self._fill((), options, tasks=tuple(nodes_of((whole,) if body is None else (whole, body))))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if len(self.tasks) == 1 and len(args) == 1 and isinstance(args[0], Node):
            return self._with(tasks=(*self.tasks, *args)).set(**kwargs)
        return super().__call__(*args, **kwargs)

    def __await__(self) -> Generator[Any, None, Any]:
        return evaluate(self).__await__()

    def __or__(self, other: Node) -> Node:
        if len(self.tasks) == 1 and isinstance(other, Node):
            return self._with(tasks=(*self.tasks, other))
        if self._is_plain() and isinstance(other, Node):  # what follows the body is part of it
            return chain(*self.tasks, other)
        return super().__or__(other)


async def run_here(call: Signature, path: Path = ()) -> Any:
    """Call one task in this process and then its callbacks, as a worker would."""
    return await _with_callbacks(
        call, lambda: registry.lookup(call.task)(*call.args, **call.kwargs), run_here, path, None
    )


def evaluate(
    node: Node,
    args: Iterable[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    call: Call = run_here,
    path: Path = (),
    request: Any = None,
) -> Awaitable[Any]:
    """The result of a tree. *call* is asked once for each task, and sees to that task's own callbacks.

    The same tree and results always make the same calls under the same paths, so an interrupted evaluation
    can be replayed. *request* is what the error callbacks of workflows get as their first argument.
    """
    node = node.clone(args, kwargs)
    if isinstance(node, Signature):
        return call(node, path)
    return _with_callbacks(node, lambda: _workflow(node, call, path, request), call, path, request)


async def _workflow(node: Node, call: Call, path: Path, request: Any) -> Any:
    assert isinstance(node, Workflow)
    inherited = {name: value for name, value in node.options.items() if name not in OF_THE_NODE}

    def begin(number: int) -> Awaitable[Any]:
        member = node.tasks[number]
        if inherited:  # checked when they were given, maybe by an earlier release that took more
            member = member._with(options=merged(member.options, inherited))
        return evaluate(member, node.args, node.kwargs, call, (*path, number), request)

    if isinstance(node, group):
        return _list(node, await gather(begin, len(node.tasks), node.options.get("max_concurrency")))
    if isinstance(node, chord) and len(node.tasks) != 2:
        raise ValueError(f"a chord without a body: {node!r}; write chord(header, body)")
    result = node.args[0] if node.args else None  # what a chain of no steps hands on
    for number, step in enumerate(node.tasks):
        try:
            going = evaluate(step, (result,), {}, call, (*path, number), request) if number else begin(number)
            result = await going
        except Exception as error:
            if isinstance(step, group):
                skipped = [(n, node.tasks[n]) for n in range(number + 1, len(node.tasks))]
                await _call_back("link_error", node, _first_errbacks(skipped, path), error, call, request)
            raise
    return result


def _list(node: group, ended: list[asyncio.Future[Any]]) -> list[Any]:
    """The result of a group whose members have ended. One with options of its own was not dissolved in it."""
    results: list[Any] = []
    for member, future in zip(node.tasks, ended, strict=True):
        if node.options.get("return_exceptions") and (error := future.exception()) is not None:
            results.append(error)
        else:
            results += future.result() if isinstance(member, group) else [future.result()]
    return results


async def _with_callbacks(node: Node, run: Callable[[], Awaitable[Any]], call: Call, path: Path, request: Any) -> Any:
    try:
        result = await run()
    except Exception as error:
        await _call_back("link_error", node, _callbacks(node, "link_error", path), error, call, request)
        raise
    await _call_back("link", node, _callbacks(node, "link", path), result, call, request)
    return result


def _callbacks(node: Node, option: str, path: Path) -> list[tuple[Path, Node]]:
    mark = LINK if option == "link" else LINK_ERROR
    return [((*path, mark, i), callback) for i, callback in enumerate(node.options.get(option, ()))]


def _first_errbacks(steps: Iterable[tuple[int, Node]], path: Path) -> list[tuple[Path, Node]]:
    """A group before these steps has failed: the error callbacks of the first that has some, as Celery calls them."""
    return next(filter(None, (_errbacks(step, (*path, number)) for number, step in steps)), [])


def _errbacks(node: Node, path: Path) -> list[tuple[Path, Node]]:
    own = _callbacks(node, "link_error", path)
    if own or not isinstance(node, Workflow):
        return own
    if isinstance(node, group):
        return [one for n, member in enumerate(node.tasks) for one in _errbacks(member, (*path, n))]
    return _first_errbacks(enumerate(node.tasks), path)


async def _call_back(
    option: str, node: Node, callbacks: list[tuple[Path, Node]], outcome: Any, call: Call, request: Any
) -> None:
    args = (outcome,) if option == "link" else (request, outcome, "".join(traceback.format_exception(outcome)))
    calls = [evaluate(callback, args, {}, call, path, request) for path, callback in callbacks]
    for ended in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(ended, Exception):  # the result is kept
            logger.warning("a callback (%s) of %r failed: %s", option, node, text(ended))
