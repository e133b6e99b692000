"""The call of a job, or a new one of a task, as a form: a text of JSON for each argument, by its parameter's name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..client.connection import JobsRedis
from ..client.submit import call_of
from ..errors import NotRetried, ResultUnknown, WrongValue
from ..store.call import LARGE_LIMIT
from ..store.keys import DEFAULT_QUEUE
from ..tasks.call_options import inherited, stored_headers
from ..tasks.declarations import known_tasks, secrets_by
from ..tasks.masking import MOST, Mark, Secrets, masked
from ..values import checks
from ..workflows import members
from ..workflows.canvas import Signature
from .doubtful_values import doubt
from .edited_arguments import TEXT_CHARS, as_json, merged, read
from .model.actions import enqueue_again, next_id
from .model.search import row_of


@dataclass(frozen=True)
class Field:
    """One argument. `key`: its name in the form. `text`: its JSON as it is shown; '' is not given."""

    key: str
    label: str
    text: str
    is_required: bool = False
    is_long: bool = False  # Too long for a form: it is kept as it is.
    error: str = ""


@dataclass(frozen=True)
class EditableCall:
    """*args* and *kwargs* as they are stored; never shown, see `fields`."""

    task: str
    queue: str
    args: list[Any]
    kwargs: dict[str, Any]
    headers: Mapping[str, str]
    secrets: Secrets

    def fields(self) -> list[Field]:
        """A field for each argument that is given, and for each other one that the task takes."""
        args, kwargs = masked(self.task, self.args, self.kwargs, lambda _: self.secrets, MOST)
        names, optional = self.secrets.parameters, {one.rstrip("=") for one in self.secrets.by_name if one[-1] == "="}
        made = [_field(f"place-{n}", self._label(n), value) for n, value in enumerate(args)]
        made += [_field(f"name-{name}", name, value) for name, value in kwargs.items()]
        others = [*names[len(args) :], *(one.rstrip("=") for one in self.secrets.by_name)]
        for name in dict.fromkeys(others):
            if not name.startswith("*") and name not in kwargs and name not in names[: len(args)]:
                made.append(Field(f"name-{name}", name, "", name not in optional))
        return made

    def _label(self, place: int) -> str:
        names = self.secrets.parameters
        star = next((name for name in names if name.startswith("*")), "")
        if place < len(names) and names[place] != star:
            return names[place]
        return f"{star} {place - len(names) + 2}" if star else str(place + 1)

    def by_key(self, texts: Mapping[str, str]) -> dict[str, str]:
        """What is given by the names of arguments, as a form has it."""
        keys = {one.label: one.key for one in self.fields()}
        return {keys.get(name, f"name-{name}"): text for name, text in texts.items()}

    def edited(self, typed: Mapping[str, str]) -> tuple[list[Any], dict[str, Any]]:
        """The arguments that somebody has *typed*, by the fields' keys. WrongValue names the argument."""
        args, kwargs = masked(self.task, self.args, self.kwargs, lambda _: self.secrets, MOST)
        places = [self._value(f"place-{n}", self._label(n), typed, self.args[n], args[n]) for n in range(len(args))]
        values = {name: self._value(f"name-{name}", name, typed, self.kwargs[name], kwargs[name]) for name in kwargs}
        given = places[: places.index(()) if () in places else len(places)]
        for n in range(len(given), len(places)):  # behind one that was left out, by name
            if places[n] and (n >= len(self.secrets.parameters) or self._label(n).startswith("*")):
                raise WrongValue(f"{self._label(len(given))}: it cannot be left out, as {self._label(n)} is given")
            values[self._label(n)] = places[n]
        for key, text in typed.items():
            name = key.removeprefix("name-")
            if name != key and name not in kwargs and text.strip():
                values[name] = (_new(name, text),)
        new = {name: value[0] for name, value in values.items() if value}
        self._check([value[0] for value in given], new)
        return [value[0] for value in given], new

    def doubt(self, typed: Mapping[str, str]) -> str:
        """Why what was *typed* may not be meant, beginning with the argument's name; '' if it fits."""
        args, kwargs = self.edited(typed)
        before = {self._label(n): value for n, value in enumerate(self.args)} | self.kwargs
        return doubt(self.task, before, {self._label(n): value for n, value in enumerate(args)} | kwargs)

    def _value(self, key: str, label: str, typed: Mapping[str, str], stored: Any, shown: Any) -> tuple[Any, ...]:
        """The value in a tuple; an empty one if it was left out."""
        text = typed.get(key)
        if text is None or len(as_json(shown)) > TEXT_CHARS:
            return (stored,)
        return (merged(label, stored, shown, read(label, text)),) if text.strip() else ()

    def _check(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        """WrongValue for arguments that the task does not take, as far as a worker has said which it takes."""
        names, by_name = self.secrets.parameters, self.secrets.by_name
        if not (names or by_name):
            return
        placed = [name for name in names if not name.startswith("*")]
        known = {*placed, *(one.rstrip("=") for one in by_name)} - {"**"}
        if len(args) > len(placed) == len(names):
            raise WrongValue(f"{self.task} takes {len(placed)} arguments by position, not {len(args)}")
        for name in kwargs.keys() - known if "**" not in by_name else ():
            raise WrongValue(f"{name}: {self.task} has no parameter of this name; {checks.hint(name, sorted(known))}")
        for name in placed[: len(args)]:
            if name in kwargs:
                raise WrongValue(f"{name}: it is given by position and by name")
        needed = [name for name in known if f"{name}=" not in by_name]
        for name in sorted(needed):
            if name not in kwargs and name not in placed[: len(args)]:
                raise WrongValue(f"{name}: {self.task} needs it")


def _new(name: str, text: str) -> Any:
    value = read(name, text)
    return merged(name, None, Mark("", ""), value)  # refuses what stands for a hidden value


def _field(key: str, label: str, shown: Any) -> Field:
    text = as_json(shown)
    is_long = len(text) > TEXT_CHARS
    return Field(key, label, "" if is_long else text, True, is_long)


async def call_of_task(connection: JobsRedis, task: str) -> EditableCall | None:
    """A call without arguments; None if no worker has ever declared this task."""
    known = (await known_tasks(connection)).get(task)
    return EditableCall(task, known.queue or DEFAULT_QUEUE, [], {}, {}, known.secrets) if known else None


async def call_of_job(connection: JobsRedis, job_id: str) -> EditableCall:
    """The call of a job in any state. NotRetried says why it cannot be edited."""
    key, row = connection.key, await row_of(connection, job_id)
    if row is None:
        raise ResultUnknown(f"no job {job_id!r}: nobody has seen this id, or its record has ended")
    if row.kind == "workflow":
        raise NotRetried(f"job {job_id} is a workflow: edit one of its steps, or retry it")
    stored = await connection.get(key.JOB + job_id) or await connection.get(key.RESULT + job_id)
    if not stored and row.parent:
        entry = await connection.hget(key.JOURNAL + row.parent, members.place_in(row.parent, job_id))  # type: ignore[misc]
        stored = (entry or b"")[1:]
    try:
        call = connection.loads(stored or b"")
        if call.get("cut"):
            raise KeyError("a")
        task, args, kwargs = call["f"], list(call["a"]), dict(call["k"])
    except Exception:  # gone, pickled, or with types that this process does not have
        raise NotRetried(f"the arguments of job {job_id} are not kept, or cannot be read here") from None
    known = await known_tasks(connection)
    secrets = secrets_by(known)(task)
    return EditableCall(task, row.queue or DEFAULT_QUEUE, args, kwargs, stored_headers(call.get("h")), secrets)


async def free_id(connection: JobsRedis, job_id: str) -> str:
    """The first of `<id>~2`, `~3` ... that nothing has."""
    key = connection.key
    while True:
        job_id = next_id(job_id)
        if not await connection.exists(key.JOB + job_id, key.RESULT + job_id, key.RECORD + job_id):
            return job_id


async def run(
    connection: JobsRedis,
    call: EditableCall,
    typed: Mapping[str, str],
    new_id: str,
    queue: str = "",
    countdown: float = 0,
) -> bool:
    """Call it with what was *typed*, as the job *new_id*; False if that was done already. WrongValue, EncodingError:
    what cannot be called so, beginning with the name of the argument."""
    args, kwargs = call.edited(typed)
    options: dict[str, Any] = {"task_id": new_id, "queue": queue or call.queue, "headers": inherited(call.headers, {})}
    if countdown:
        options["countdown"] = countdown
    try:
        made = call_of(connection, Signature(call.task, args, kwargs), options, limit=LARGE_LIMIT)
    except TypeError as error:  # its task, which this process has, does not take them
        raise WrongValue(str(error)) from None
    return await enqueue_again(connection, made)


async def run_again(connection: JobsRedis, job_id: str, changes: Sequence[str], sure: bool = False) -> str:
    """Run a job once more, in any state, with *changes* such as `amount=12` or `note="paid"`; returns the new id.
    NotRetried, WrongValue, EncodingError: why not, or what cannot be called so, or, unless *sure*, may not be meant."""
    call = await call_of_job(connection, job_id)
    if wrong := [one for one in changes if "=" not in one or one.startswith("=")]:
        raise WrongValue(f"{checks.shown(wrong[0])}: write the name of an argument and its JSON: amount=12")
    typed = call.by_key(dict(one.split("=", 1) for one in changes))
    if not sure and (why := call.doubt(typed)):
        raise WrongValue(f"{why}: give -f to run it all the same")
    while not await run(connection, call, typed, new_id := await free_id(connection, job_id)):
        pass  # another one had this id meanwhile
    return new_id
