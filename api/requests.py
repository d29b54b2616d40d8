"""Reading requests: JSON bodies, queries and cursors; and running what blocks beside the event loop."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar, TypeVarTuple
from uuid import UUID

import falcon
import msgspec
from falcon import asgi
from pydantic import BaseModel, ValidationError

from api.bulkheads.pools import INTAKE, READING, Busy, Pool
from api.problems import Invalid, fields_of, problem
from errors import TaskError
from models import database, replica
from models.base import Json, of_json
from sentences import say
from sentences.details import THINGS
from tasks.accepting.idempotency import Key
from tasks.transactions.group_commit import GroupCommit, Operation

Item = TypeVar("Item")
Result = TypeVar("Result")
Given = TypeVarTuple("Given")
Model = TypeVar("Model", bound=BaseModel)

#: Seconds after which a submission whose commit has not answered is told so.
LONGEST_COMMIT = 20.0
#: Bytes of a JSON body, which is read whole into memory: a batch of 1,000 tasks of 32 KB each.
LARGEST_BODY = 32 * 1024 * 1024
IN_PARTS = (
    "send it in several requests, or upload a large document instead",
    "请分成多个请求发送，较大的文档请改为上传",
)
#: Values in it, names included: those of a batch of 1,000 tasks with 250 each.
MOST_VALUES = 250_000
#: Bytes of a body that is parsed at once: that takes a millisecond, and less than to have it done beside.
IN_LINE = 64 * 1024
IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
#: Parses large bodies one after the other: together they would only keep each other, and the loop, waiting.
_parsing = ThreadPoolExecutor(1, thread_name_prefix="parsing")


async def beside(function: Callable[[*Given], Result], *args: *Given) -> Result:
    """Run a call that blocks and changes something beside the loop."""
    return await INTAKE.run(function, *args)


async def read(
    function: Callable[..., Result], *args: object, repeatable: bool = False, pool: Pool = READING, **named: object
) -> Result:
    """Call a function with a session and these arguments, in a transaction beside the loop."""

    def within() -> Result:
        with database.transaction(repeatable=repeatable) as session:
            return function(session, *args, **named)

    return await pool.run(within)


async def read_much(
    function: Callable[..., Result], *args: object, repeatable: bool = False, pool: Pool = READING, **named: object
) -> Result:
    """Do the same for a function that only reads, and more than a few rows: on a replica, where there is one."""
    return await pool.run(
        partial(replica.read, lambda session: function(session, *args, **named), repeatable=repeatable)
    )


async def body(req: asgi.Request, understand: Callable[[Any], Result]) -> Result:
    """Return what is made of the request's JSON; of a large one beside the loop, one after the other.

    Parameters:
      understand: is given the JSON; must not wait for anything.

    Raises:
      falcon.HTTPBadRequest: when there is none, or it is not JSON.
      falcon.HTTPUnsupportedMediaType: when it is said to be something else, or compressed.
      TaskError: too_large.
      Invalid: when `understand` raises it, or a ValidationError.
    """
    if (req.content_type or "").partition(";")[0].strip().lower() != "application/json":
        raise falcon.HTTPUnsupportedMediaType(description=say("no_json_type"))
    if (req.get_header("Content-Encoding") or "identity").lower() != "identity":
        raise falcon.HTTPUnsupportedMediaType(description=say("encoded_body"))
    refuse_announced(req, LARGEST_BODY, *IN_PARTS)
    # What is not announced is refused as soon as it has come.
    if len(data := await req.stream.read(LARGEST_BODY + 1)) > LARGEST_BODY:
        raise _too_large(LARGEST_BODY, *IN_PARTS)
    if not data:
        raise falcon.HTTPBadRequest(description=say("empty_body"))
    if len(data) <= IN_LINE:
        return _understood(data, understand)
    return await asyncio.get_running_loop().run_in_executor(_parsing, _understood, data, understand)


def refuse_announced(req: asgi.Request, most: int, remedy: str, remedy_zh: str) -> None:
    """Refuse a body unread whose `Content-Length` says that it is too large.

    Parameters:
      remedy, remedy_zh: what can be done, in English and Chinese.

    Raises:
      TaskError: too_large.
    """
    if (req.content_length or 0) > most:
        raise _too_large(most, remedy, remedy_zh)


def _too_large(most: int, remedy: str, remedy_zh: str) -> TaskError:
    return TaskError("too_large", say("large_body", most=most, remedy=remedy, remedy_zh=remedy_zh))


def _understood(data: bytes, understand: Callable[[Any], Result]) -> Result:
    if too_many_values(data):
        raise TaskError("too_large", say("many_values", most=MOST_VALUES))
    try:
        parsed = _parsed(data)
    except ValueError as error:
        raise falcon.HTTPBadRequest(description=say("not_json", reason=error)) from None
    except RecursionError:
        raise falcon.HTTPBadRequest(description=say("deep_body")) from None
    try:
        return understand(parsed)
    except ValidationError as error:
        raise Invalid(fields_of(error)) from None


def _parsed(data: bytes) -> Any:
    try:
        return of_json(data)
    except msgspec.MsgspecError:
        # What begins with a mark of its encoding, or holds what a field is to be refused for; or it is no JSON.
        return json.loads(data.decode("utf-8-sig"), parse_constant=_no_number)


def too_many_values(data: bytes) -> bool:
    """Return whether JSON holds more than MOST_VALUES, told unparsed: while Python parses, nothing else runs."""
    marks = sum(map(data.count, (b"[", b"{", b",", b":")))
    if marks < MOST_VALUES:
        return False
    # Only what stands outside of texts counts. An escaped quote begins and ends none.
    plain = data.replace(rb"\\", b"").replace(rb"\"", b"") if b"\\" in data else data
    if plain.count(b'"') > 4 * MOST_VALUES:
        return True
    outside = b"".join(plain.split(b'"')[::2])
    return sum(map(outside.count, (b"[", b"{", b",", b":"))) >= MOST_VALUES


def _no_number(name: str) -> None:
    """Refuse NaN and Infinity, which Python's JSON knows; JSON itself and PostgreSQL do not."""
    raise ValueError(f"{name} is no number of JSON")


async def committed(commits: GroupCommit, operation: Operation[Item, Result], item: Item) -> Result:
    """Hand an item to a group commit, and wait for its result beside all others.

    Raises:
      what `GroupCommit.put` does; Busy, when PostgreSQL hangs.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Result] = loop.create_future()
    commits.put(operation, item).add_done_callback(partial(_pass_on, answer))
    deadline = loop.call_later(LONGEST_COMMIT, _give_up, answer)
    try:
        return await answer
    finally:
        deadline.cancel()


def _give_up(answer: asyncio.Future[Any]) -> None:
    if not answer.done():
        answer.set_exception(Busy(say("commit")))


#: Results on their way to the loop. It is woken once for all that a commit has brought.
_results: deque[tuple[asyncio.Future[Any], Future[Any]]] = deque()
_waking = threading.Event()


def _pass_on(answer: asyncio.Future[Any], done: Future[Any]) -> None:
    _results.append((answer, done))
    if not _waking.is_set():
        _waking.set()
        answer.get_loop().call_soon_threadsafe(_deliver)


def _deliver() -> None:
    _waking.clear()
    while _results:
        answer, done = _results.popleft()
        if answer.done():  # its client has gone
            continue
        error = done.exception()
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(done.result())


def idempotency_key(req: asgi.Request, *parts: bytes | BaseModel) -> Key | None:
    """Return the request's `Idempotency-Key`, with what it must say again when the key comes again; None without one.

    Raises:
      Invalid: when it is too long or holds what no key holds.
    """
    key = req.get_header("Idempotency-Key")
    if key is None:
        return None
    if not IDEMPOTENCY_KEY.fullmatch(key):
        raise Invalid([problem("Idempotency-Key", say("idempotency_key"))])
    said = [part.model_dump_json().encode() if isinstance(part, BaseModel) else part for part in parts]
    return Key.of(req.context.caller, key, req.path.encode(), *said)


def fit(model: type[Model], value: object) -> Model:
    """Read a body as a model.

    Raises:
      Invalid: naming every field that does not fit.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise Invalid(fields_of(error)) from None


def query(req: asgi.Request, model: type[Model]) -> Model:
    """Read a query string as a model; an unknown parameter is an error, since it would be silently without effect."""
    return fit(model, dict(req.params))


def identifier(value: str, what: str) -> UUID:
    """Read the id in a path.

    Raises:
      falcon.HTTPNotFound: when it cannot be one.
    """
    try:
        return UUID(value)
    except ValueError:
        raise missing(what, value) from None


def missing(what: str, value: object) -> falcon.HTTPNotFound:
    """Return the answer for something that is not there."""
    return falcon.HTTPNotFound(
        title="Not Found", description=say("gone", what=what, what_zh=THINGS[what], value=str(value)[:200])
    )


def page_of(items: list[Json], limit: int, key: str) -> Json:
    """Return a page of at most `limit` items, and an opaque mark for the next one where there are more.

    Parameters:
      items: one more than the page holds, where there are so many.
      key: the field by which the items are ordered.
    """
    page = items[:limit]
    return {"items": page, "next_cursor": cursor(page[-1][key]) if len(items) > limit else None}


def cursor(after: object) -> str:
    """Return an opaque mark for the next page."""
    return base64.urlsafe_b64encode(str(after).encode()).decode().rstrip("=")


def from_cursor(text: str | None, kind: Callable[[str], Result]) -> Result | None:
    """Return what a mark stands for; None for the first page, which has none.

    Raises:
      Invalid: when it is not one of ours.
    """
    if text is None:
        return None
    try:
        mark = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
        if not mark or "\0" in mark:
            raise ValueError("no mark of ours is so")
        return kind(mark)
    except ValueError:
        raise Invalid([problem("cursor", say("cursor"))]) from None
