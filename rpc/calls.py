"""Calls of our services, each answered by the application as the request of its route is."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NoReturn
from urllib.parse import unquote

import grpc
from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc.status_pb2 import Status

from rpc import events, messages, statuses
from rpc.application import Answer, Application, Request
from rpc.methods import FOLLOWED, METHODS, SERVICES, Method
from rpc.uploads import Form
from sentences import say

#: Metadata of a call that are headers of a request.
PASSED_ON = ("authorization", "idempotency-key", "x-request-id", "traceparent")
#: Where gRPC's libraries look for a `google.rpc.Status`.
DETAILS = "grpc-status-details-bin"
#: By number.
STATUS_CODES = {code.value[0]: code for code in grpc.StatusCode}


def handlers(application: Application) -> list[Any]:
    """Return what gRPC is to serve: one generic handler for each of our services."""
    return [
        grpc.method_handlers_generic_handler(
            service.full_name,
            {
                method.name: _handler(application, METHODS[f"{service.full_name}/{method.name}"], method)
                for method in service.methods
            },
        )
        for service in SERVICES
    ]


def _handler(application: Application, method: Method, described: Any) -> Any:
    kind, behaviour = {
        "upload": (grpc.stream_unary_rpc_method_handler, _upload),
        "events": (grpc.unary_stream_rpc_method_handler, _watch),
    }.get(method.kind, (grpc.unary_unary_rpc_method_handler, _ask))
    answers = GetMessageClass(described.output_type)
    return kind(
        behaviour(application, method, answers),
        request_deserializer=GetMessageClass(described.input_type).FromString,
        response_serializer=answers.SerializeToString,
    )


def _ask(application: Application, method: Method, answers: type[Message]) -> Callable[..., Any]:
    """Return how a call with one message and one answer is answered."""

    async def ask(message: Message, context: object) -> Message:
        fields = await _said(message, context)
        named = {name: fields.pop(name, "") for name in method.names}
        headers, query, body = _headers(context), {}, b""
        if method.kind == "json":
            headers["content-type"], body = "application/json", json.dumps(fields).encode()
        elif method.kind == "query":
            query = messages.as_texts(fields)
        request = Request(method.verb, method.path, named, query, headers, body, _client(context))
        async with _answer(application, request, context) as answer:
            return messages.shown(await answer.json(), answers, method.field)

    return ask


def _upload(application: Application, method: Method, answers: type[Message]) -> Callable[..., Any]:
    """Return how a stream of messages with a document is answered."""

    async def upload(stream: AsyncIterator[Any], context: object) -> Message:
        first = await anext(stream, None)
        if first is None or first.WhichOneof("part") != "info":
            await _abort(context, statuses.misfit("info", say("info_missing")))
        fields = await _said(first.info, context)
        named = {name: fields.pop(name, "") for name in method.names}
        form = Form(messages.as_texts(fields), stream)
        headers = {**_headers(context), "content-type": form.content_type}
        request = Request(method.verb, method.path, named, {}, headers, form.body(), _client(context))
        async with _answer(application, request, context) as answer:
            return messages.shown(await answer.json(), answers, method.field)

    return upload


def _watch(application: Application, method: Method, answers: Any) -> Callable[..., Any]:
    """Return how a stream of events is given."""

    async def watch(message: Any, context: Any) -> AsyncIterator[Message]:
        target = message.WhichOneof("target")
        route = FOLLOWED[target] if target else method
        headers = _headers(context)
        if message.resume_token:
            headers["last-event-id"] = message.resume_token
        named = {target: getattr(message, target)} if target else {}
        request = Request(route.verb, route.path, named, {}, headers, b"", _client(context))
        async with _answer(application, request, context) as answer:
            async for token, event in events.read(answer.pieces()):
                yield messages.shown({"resume_token": token, "event": event}, answers)

    return watch


@asynccontextmanager
async def _answer(application: Application, request: Request, context: Any) -> AsyncIterator[Answer]:
    """Give what the application answers, if it is no problem; with one the call ends."""
    async with application.ask(request) as answer:
        await context.send_initial_metadata((("x-request-id", answer.headers["x-request-id"]),))
        if answer.status >= 400:
            await _abort(context, statuses.status_of(await answer.json(), answer.headers))
        yield answer


async def _said(message: Message, context: object) -> dict[str, Any]:
    try:
        return messages.said(message)
    except json_format.Error as error:
        await _abort(context, statuses.misfit("body", say("no_json_value", reason=error)))


async def _abort(context: Any, status: Status) -> NoReturn:
    await context.abort(STATUS_CODES[status.code], status.message, ((DETAILS, status.SerializeToString()),))
    raise AssertionError("a call goes on that was ended")


def _headers(context: Any) -> dict[str, str]:
    metadata: Mapping[str, str] = dict(context.invocation_metadata() or ())
    return {name: metadata[name] for name in PASSED_ON if name in metadata}


def _client(context: Any) -> str:
    """Return the address that a call came from, of `ipv4:127.0.0.1:5000` or `ipv6:[::1]:5000`, percent-encoded."""
    return unquote(context.peer()).partition(":")[2].rpartition(":")[0].strip("[]")
