"""From a call that somebody made to one that Redis stores: ids, times, limits, what follows."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final, Self

from .. import encoding
from ..errors import EncodingError, WrongValue
from ..store.call import LARGE_LIMIT, Call, Moment, moment
from ..store.store import Store
from ..tasks import registry
from ..tasks.call_options import CALLBACKS, OF_A_GROUP, OPTIONS, as_stored, checked, inherited, merged
from ..tasks.current import running_job
from ..tasks.parameters import ANNOTATED
from ..tasks.unique import UNIQUE
from ..values import sendable
from ..workflows import members
from ..workflows.canvas import Node, Signature, Workflow
from ..workflows.stored_tree import from_dict, name_of
from ..workflows.task_table import NOTHING, Settled, callbacks_of, first_queue, nodes_in, own_of, read_settled, settled
from .plain_data import plain_callbacks, with_plain_data

WORKFLOW: Final = "jobs.workflow"  # The task that evaluates a stored tree on a worker.
NAMED_WORKFLOW: Final = "jobs.named_workflow"
"""The same for one with a given id: a worker of an earlier release, which knows other ids for members, leaves it."""
WORKFLOW_TASKS: Final = frozenset({WORKFLOW, NAMED_WORKFLOW})


def call_of(
    connection: Store, node: Node, options: Mapping[str, Any], known: Settled = NOTHING, limit: int | None = None
) -> Call:
    """The call of a task or of a workflow, checked as far as this process can. *limit*: see `Store.encode_call`."""
    if isinstance(node, Signature):
        options = merged(node.options, options) if node.options else options
    else:
        options = {name: value for name, value in options.items() if name not in OF_A_GROUP}
    if options:
        options = checked(options, OPTIONS, "apply_async()")
    job_id = options.get("task_id") or ""
    refuse_reserved_id(job_id)
    return _call_of(connection, node, options, known, job_id, limit)


def calls_of(connection: Store, pairs: Sequence[tuple[Node, Mapping[str, Any]]], known: Settled) -> list[Call]:
    """The same for many: options that several calls have are read once, and the ids are made together."""
    digits, calls = os.urandom(16 * len(pairs)).hex(), list[Call]()
    given: Mapping[str, Any] | None = None
    try:
        for n, (node, options) in enumerate(pairs):
            if UNIQUE:
                _unique_calls().refuse_losses(node, options)
            node = with_plain_data(node) if ANNOTATED else node
            if node.options or not isinstance(node, Signature) or options.get("task_id"):
                calls.append(call_of(connection, node, options, known))
                continue
            if options is not given:
                given = options
                terms = Terms.of(checked(options, OPTIONS, "apply_async()") if options else {}, known, None)
            calls.append(_task_call(connection, node, terms, known, None, digits[32 * n : 32 * n + 32]))
    except RecursionError:
        why = "workflows or callbacks are nested too deep: make it flat, or let a task call the rest"
        raise EncodingError(why) from None
    return calls


def _call_of(
    connection: Store, node: Node, options: Mapping[str, Any], known: Settled, job_id: str, limit: int | None
) -> Call:
    """The same with options as they were checked when they were given; '' has an id made."""
    if isinstance(node, Signature):
        return _task_call(connection, node, Terms.of(options, known, limit), known, limit, job_id)
    if limit is None:
        check_arguments(node)
    stored = settled(_with_headers_below(node), known)
    if job_id:
        stored[members.SEPARATOR] = members.GIVEN
    tree = encoding.dumps(stored, encoding.WRAPPED)
    if len(tree) > LARGE_LIMIT:
        raise sendable.too_large("the workflow takes", len(tree), LARGE_LIMIT)
    if not options.get("queue") and (queue := first_queue(node, known)):
        options = {**options, "queue": queue}  # it is evaluated where its first task is served
    evaluation = Signature(NAMED_WORKFLOW if job_id else WORKFLOW)
    call = _task_call(connection, evaluation, Terms.of(options, known, limit), known, limit, job_id)
    call.tree, call.name = tree, name_of(stored)
    return call


@dataclass(slots=True)
class Terms:
    """What the options of calls ask for, as it is sent; what a task says of itself is not among them."""

    queue: str
    due: str
    expires: Moment
    headers: Mapping[str, str] | None
    callbacks: Mapping[str, Any]

    @classmethod
    def of(cls, options: Mapping[str, Any], known: Settled, limit: int | None) -> Self:
        if not options:
            return cls("", _due_of_parent(), None, None, {})
        if limit is None:
            options = plain_callbacks(options) if ANNOTATED else options
            for callback in callbacks_of(options):
                check_arguments(callback)
        callbacks = {
            link: [settled(_with_headers_below(callback), known) for callback in options[link]]
            for link in CALLBACKS
            if options.get(link)
        }
        eta, countdown, expires = map(options.get, ("eta", "countdown", "expires"))
        due = moment(eta if eta is not None else countdown) or _due_of_parent()
        return cls(options.get("queue") or "", due, expires, options.get("headers"), callbacks)


@dataclass(frozen=True)
class Caller:
    """A stored workflow, as the calls of its members need it."""

    id: str
    prefix: str  # What the ids of its members begin with.
    known: Settled  # What its own caller knew of its tasks.
    headers: Mapping[str, str]  # What its members inherit.

    @classmethod
    def of(cls, workflow: str, tree: Mapping[str, Any], headers: Mapping[str, str]) -> Self:
        return cls(workflow, members.prefix_of(workflow, tree), read_settled(tree), headers)


def member_call(connection: Store, signature: Signature, caller: Caller, place: str) -> Call:
    """The call of one task of a workflow. Its id follows from its place, so that it is the same in every replay."""
    job_id, options = caller.prefix + place, signature.options and as_stored(signature.options)
    terms = Terms.of(_inheriting(caller.headers, options), caller.known, LARGE_LIMIT)
    call = _task_call(connection, signature, terms, caller.known, LARGE_LIMIT, job_id)
    call.parent, call.path = caller.id, place
    return _unique_calls().without_losses(call, signature, "member") if call.unique else call


def calls_that_follow(
    connection: Store, job_id: str, mark: int, trees: Sequence[Any], args: tuple[Any, ...], headers: Mapping[str, str]
) -> list[Callable[[], Call]]:
    """What makes each callback of an ended job, of its stored tree: one that cannot be called leaves the others. The
    ids are the job's own and a path (see canvas.Path), so each is called once, and none has the id of a member. They
    inherit the *headers* of the job.
    """

    def made(number: int, tree: Any) -> Call:
        node = from_dict(tree).clone(args)
        own_id = members.callback_id(job_id, mark, number)
        options = as_stored(node.options) if isinstance(node, Signature) else {}
        call = _call_of(connection, node, _inheriting(headers, options), read_settled(tree), own_id, LARGE_LIMIT)
        return _unique_calls().without_losses(call, node, "callback") if call.unique else call

    return [partial(made, number, tree) for number, tree in enumerate(trees)]


def _inheriting(headers: Mapping[str, str], options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options of a call that a job with *headers* makes."""
    return {**options, "headers": inherited(headers, options.get("headers"))} if headers else options


def _with_headers_below(node: Node, above: Mapping[str, str] = MappingProxyType({})) -> Node:
    """A workflow whose signatures have the headers of the workflows that they are in; their own win."""
    given = node.options.get("headers")
    if not (above or given or isinstance(node, Workflow)):
        return node
    headers = inherited(above, given)
    if isinstance(node, Workflow):
        tasks = tuple(_with_headers_below(task, headers) for task in node.tasks)
        rest = {name: value for name, value in node.options.items() if name != "headers"}
        return node._with(tasks=tasks, options=rest)
    return node._with(options={**node.options, "headers": headers})


def refuse_reserved_id(job_id: str) -> None:
    """WrongValue for a given id that a member of a workflow, or a callback, may have."""
    if members.is_reserved(job_id):
        raise WrongValue(
            f"task_id={job_id!r:.80}: ids that end in '::' and a number belong to members of workflows and to "
            "callbacks; write ':' and the number, for example"
        )


def _task_call(
    connection: Store, signature: Signature, terms: Terms, known: Settled, limit: int | None, job_id: str
) -> Call:
    name, args, kwargs = signature.task, signature.args, signature.kwargs
    task, limit_keys = registry.find(name), ""
    if task is not None:
        task.parameters.check(args, kwargs)
        limit_keys = registry.limit_keys(task, args, kwargs)
    try:
        payload = connection.encode_call(name, args, kwargs, None, terms.callbacks, limit, terms.headers)
    except EncodingError as error:
        raise _naming_the_argument(signature, error) from error
    own = own_of(name, args, known)
    expires = moment(own.expires if terms.expires is None else terms.expires)
    call = Call(job_id or os.urandom(16).hex(), terms.queue or own.queue, payload, name, terms.due, expires)
    call.keys, call.unique = limit_keys, registry.unique_key(task, args, kwargs)
    if call.unique and call.unique[0] == "debounce":
        call.due = f"+{call.unique[4]}"
    return call


def _due_of_parent() -> str:
    """What a job calls is as old as the job itself, so that work begun is ended before new work is begun.

    Two milliseconds older: others that were called after it, within that of the job, have their places there.
    """
    job = running_job()
    return str(job.request.due_ms - 2) if job is not None and job.request.due_ms else ""


def check_arguments(node: Node) -> None:
    """EncodingError if an argument anywhere in a workflow, or of a callback, cannot travel: it names the argument."""
    for here in nodes_in(node):
        try:
            sendable.check_all((*here.args, *here.kwargs.values()))
        except EncodingError as error:
            raise _naming_the_argument(here, error) from error


def _unique_calls() -> Any:  # imported when a task is unique
    return import_module("..contrib.unique_calls", __package__)


def _naming_the_argument(node: Node, error: EncodingError) -> EncodingError:
    """The same error, saying which argument of which task it is."""
    return import_module("..contrib.culprits", __package__).naming(node, error)  # type: ignore[no-any-return]
