"""The OpenAPI 3.1 document, made from what the responders say of themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.description import errors, headers
from api.description.examples import EXAMPLES, TEXTS
from api.description.operation import ANY_BYTES, Operation
from api.description.schemas.problem import Problem
from api.description.webhooks import SENT, webhooks
from models.base import Json

METHODS = ("get", "post", "patch", "put", "delete")
DESCRIPTION = """\
Turns documents into searchable knowledge.

Submit a document by its text, its path, its URL or as an upload; follow its task; search the knowledge base (KB).
Every error is a `Problem` (RFC 9457). A field that is not described may come with a later release: clients pass over
what they do not know.
"""
#: The headings of the document, in its order.
TAGS = {
    "tasks": "Work that is accepted now and done later: submit it, follow it, cancel it, run it again.",
    "schedules": "Tasks that are submitted again and again, by the clock.",
    "batches": "Many tasks in one request, counted and called back together.",
    "callbacks": "What the KB service is told of tasks and batches that ended: which are owed, and deliver them again.",
    "kbs": "Knowledge bases: what there is, and what each holds.",
    "documents": "What is searchable: documents, their chunks and their text.",
    "search": "Questions to one KB or to several.",
    "events": "What happens, as it happens: Server-Sent Events.",
    "operations": "Health, metrics, queues and workers.",
}

Mode = Literal["validation", "serialization"]
IsPublic = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class Described:
    """An operation at its place."""

    path: str
    method: str
    operation: Operation
    public: bool


def document(routes: Sequence[tuple[str, Any]], version: str, is_public: IsPublic) -> Json:
    """Return the OpenAPI document of a table of routes.

    Parameters:
      routes: path templates with their resources.
      is_public: whether a method of a path needs no key.
    """
    described = list(_described(routes, is_public))
    schemas = Schemas(route.operation for route in described)
    paths: dict[str, Json] = {}
    ids: set[str] = set()
    for route in described:
        entry = _entry(route, schemas)
        if entry["operationId"] in ids:
            # What is under the prefix and, for those who know only hosts, at the root.
            entry["operationId"] += "_at_root"
        ids.add(entry["operationId"])
        paths.setdefault(route.path, {})[route.method] = entry
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Task Manager Service",
            "version": version,
            "description": DESCRIPTION,
            "contact": {"name": "The operator of this deployment"},
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/", "description": "This service."}],
        "security": [{"key": []}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "webhooks": webhooks({model: _content(schemas.of_answer(model)) for model in SENT}),
        "components": {
            "schemas": schemas.definitions,
            "responses": errors.components(),
            "examples": {name: {"value": value} for name, value in EXAMPLES.items()},
            **headers.components(),
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "One of API_KEYS. Where the operator has set none, no key is asked for.",
                }
            },
        },
    }


class Schemas:
    """The models of operations as components.

    Requests are described as they are taken, answers as they are given: in these, a field with a default is always set.
    """

    def __init__(self, operations: Iterable[Operation]) -> None:
        queries, bodies = set[type[BaseModel]](), set[type[BaseModel]]()
        answers: set[type[BaseModel]] = {Problem, *SENT}
        for operation in operations:
            queries.update([operation.query] if operation.query else [])
            bodies.update([operation.request] if operation.request else [])
            answers.update(
                model for model in (operation.response, operation.events, *operation.besides.values()) if model
            )
        keys: list[tuple[type[BaseModel], Mode]] = [(model, "validation") for model in bodies | queries]
        keys += [(answer, "serialization") for answer in answers]
        keys.sort(key=lambda key: (key[0].__name__, key[1]))
        self._references, schemas = models_json_schema(keys, ref_template="#/components/schemas/{model}")
        self.definitions: Json = schemas["$defs"]
        _without_titles(self.definitions)
        # Each parameter is described by itself.
        self._queries = {model: self.definitions.pop(_name(self.of_request(model))) for model in queries - bodies}

    def of_request(self, model: type[BaseModel]) -> Json:
        """Return the schema of a request's model, by reference."""
        return dict(self._references[model, "validation"])

    def query(self, model: type[BaseModel]) -> Json:
        """Return the schema of a query string's model."""
        return dict(self._queries.get(model) or self.definitions[_name(self.of_request(model))])

    def of_answer(self, model: type[BaseModel]) -> Json:
        """Return the schema of an answer's model, by reference."""
        return dict(self._references[model, "serialization"])


def _content(reference: Json) -> Json:
    """Return what is sent as a model: its schema, and its example by reference."""
    name = _name(reference)
    return {"schema": reference, "examples": {name: {"$ref": f"#/components/examples/{name}"}}}


def _name(reference: Json) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def _without_titles(schema: object) -> None:
    """Take away the titles that pydantic makes of names: a generator would make classes of them."""
    if isinstance(schema, dict):
        if isinstance(schema.get("title"), str):
            del schema["title"]
        for name, part in schema.items():
            if name not in ("default", "examples"):
                _without_titles(part)
    elif isinstance(schema, list):
        for item in schema:
            _without_titles(item)


def _described(routes: Sequence[tuple[str, Any]], is_public: IsPublic) -> Iterator[Described]:
    for path, resource in routes:
        for method in METHODS:
            operation = getattr(getattr(resource, f"on_{method}", None), "operation", None)
            if operation is not None:
                yield Described(path, method, operation, is_public(method.upper(), path))


def _entry(described: Described, schemas: Schemas) -> Json:
    operation = described.operation
    assert operation.tag in TAGS, f"{operation.id} has the tag {operation.tag!r}; there are {', '.join(TAGS)}"
    entry: Json = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": _parameters(described.path, operation, schemas),
    }
    if operation.description is not None:
        entry["description"] = operation.description
    if operation.request is not None:
        content: Json = {"schema": schemas.of_request(operation.request)}
        if operation.example is not None:
            content["example"] = operation.example
        kind = "multipart/form-data" if operation.form else "application/json"
        entry["requestBody"] = {"required": operation.body_required, "content": {kind: content}}
    entry["responses"] = _responses(described, schemas)
    if described.public:
        entry["security"] = []
    return entry


def _parameters(path: str, operation: Operation, schemas: Schemas) -> list[Json]:
    parameters: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]
    if operation.query is not None:
        query = schemas.query(operation.query)
        for name, schema in query["properties"].items():
            parameter = {"name": name, "in": "query", "schema": _present(schema)}
            if name in query.get("required", ()):
                parameter["required"] = True
            if "description" in schema:
                parameter["description"] = schema["description"]
            parameters.append(parameter)
    return parameters + headers.of_request(*operation.takes)


def _present(schema: Json) -> Json:
    """Return the schema of a parameter: one that is not there is no null."""
    rest = {name: value for name, value in schema.items() if name not in ("description", "anyOf")}
    if rest.get("default", ...) is None:
        del rest["default"]
    others = [option for option in schema.get("anyOf", ()) if option != {"type": "null"}]
    if len(others) == 1:
        return {**others[0], **rest}
    return {**rest, "anyOf": others} if others else rest


def _responses(described: Described, schemas: Schemas) -> Json:
    operation = described.operation
    bodies: dict[int, Json] = {}
    for status, meaning in operation.answers.items():
        if status >= 400 and status not in operation.besides:
            bodies[status] = errors.reference(status, meaning)
        else:
            bodies[status] = {"description": meaning, "headers": headers.of_answer(*_headers(status, described))}
            if (body := _body(status, operation, schemas)) is not None:
                bodies[status]["content"] = body
    for status in errors.possible(operation, public=described.public):
        bodies[status] = errors.reference(status)
    return {str(status): bodies[status] for status in sorted(bodies)}


def _headers(status: int, described: Described) -> tuple[str, ...]:
    own = described.operation.gives
    counted = () if described.public else headers.COUNTED
    return (*(own if status < 300 else tuple(name for name in own if name == "ETag")), *counted)


def _body(status: int, operation: Operation, schemas: Schemas) -> Json | None:
    if status in (204, 304):
        return None
    model = operation.besides.get(status, operation.response)
    if model is not None:
        return {operation.media: _content(schemas.of_answer(model))}
    content: Json = {"schema": {"type": "string"}, "example": TEXTS[operation.id]}
    if operation.media == ANY_BYTES:
        content["schema"]["format"] = "binary"  # by which generators tell bytes from a text
    if operation.events is not None:
        # OpenAPI 3.1 has no word for the items of a stream; 3.2 calls it `itemSchema`.
        content["x-itemSchema"] = schemas.of_answer(operation.events)
    assert operation.media != "application/json", f"{operation.id} answers JSON and has no model"
    return {operation.media: content}
