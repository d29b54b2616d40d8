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
    schemas = Schemas(each.operation for each in described)
    paths: dict[str, Json] = {}
    ids: set[str] = set()
    for each in described:
        entry = _entry(each, schemas)
        if entry["operationId"] in ids:
            # What is under the prefix and, for those who know only hosts, at the root.
            entry["operationId"] += "_at_root"
        ids.add(entry["operationId"])
        paths.setdefault(each.path, {})[each.method] = entry
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
        "webhooks": webhooks({model: _content(schemas.given(model)) for model in SENT}),
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
        asked, taken = set[type[BaseModel]](), set[type[BaseModel]]()
        answers: set[type[BaseModel]] = {Problem, *SENT}
        for operation in operations:
            asked.update([operation.query] if operation.query else [])
            taken.update([operation.request] if operation.request else [])
            answers.update(
                model for model in (operation.response, operation.events, *operation.besides.values()) if model
            )
        keys: list[tuple[type[BaseModel], Mode]] = [(each, "validation") for each in taken | asked]
        keys += [(answer, "serialization") for answer in answers]
        keys.sort(key=lambda key: (key[0].__name__, key[1]))
        self._references, found = models_json_schema(keys, ref_template="#/components/schemas/{model}")
        self.definitions: Json = found["$defs"]
        _without_titles(self.definitions)
        # Each parameter is described by itself.
        self._queries = {each: self.definitions.pop(_name(self.taken(each))) for each in asked - taken}

    def taken(self, model: type[BaseModel]) -> Json:
        """Return the schema of a request's model, by reference."""
        return dict(self._references[model, "validation"])

    def query(self, model: type[BaseModel]) -> Json:
        """Return the schema of a query string's model."""
        return dict(self._queries.get(model) or self.definitions[_name(self.taken(model))])

    def given(self, model: type[BaseModel]) -> Json:
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
        for name, each in schema.items():
            if name not in ("default", "examples"):
                _without_titles(each)
    elif isinstance(schema, list):
        for each in schema:
            _without_titles(each)


def _described(routes: Sequence[tuple[str, Any]], is_public: IsPublic) -> Iterator[Described]:
    for path, resource in routes:
        for method in METHODS:
            operation = getattr(getattr(resource, f"on_{method}", None), "operation", None)
            if operation is not None:
                yield Described(path, method, operation, is_public(method.upper(), path))


def _entry(described: Described, schemas: Schemas) -> Json:
    each = described.operation
    assert each.tag in TAGS, f"{each.id} has the tag {each.tag!r}; there are {', '.join(TAGS)}"
    entry: Json = {
        "operationId": each.id,
        "tags": [each.tag],
        "summary": each.summary,
        "parameters": _parameters(described.path, each, schemas),
    }
    if each.description is not None:
        entry["description"] = each.description
    if each.request is not None:
        content: Json = {"schema": schemas.taken(each.request)}
        if each.example is not None:
            content["example"] = each.example
        kind = "multipart/form-data" if each.form else "application/json"
        entry["requestBody"] = {"required": each.body_required, "content": {kind: content}}
    entry["responses"] = _responses(described, schemas)
    if described.public:
        entry["security"] = []
    return entry


def _parameters(path: str, each: Operation, schemas: Schemas) -> list[Json]:
    parameters: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]
    if each.query is not None:
        asked = schemas.query(each.query)
        for name, given in asked["properties"].items():
            parameter = {"name": name, "in": "query", "schema": _present(given)}
            if name in asked.get("required", ()):
                parameter["required"] = True
            if "description" in given:
                parameter["description"] = given["description"]
            parameters.append(parameter)
    return parameters + headers.taken(*each.takes)


def _present(schema: Json) -> Json:
    """Return the schema of a parameter: one that is not there is no null."""
    kept = {name: value for name, value in schema.items() if name not in ("description", "anyOf")}
    if kept.get("default", ...) is None:
        del kept["default"]
    others = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if len(others) == 1:
        return {**others[0], **kept}
    return {**kept, "anyOf": others} if others else kept


def _responses(described: Described, schemas: Schemas) -> Json:
    each = described.operation
    bodies: dict[int, Json] = {}
    for status, meaning in each.answers.items():
        if status >= 400 and status not in each.besides:
            bodies[status] = errors.reference(status, meaning)
        else:
            bodies[status] = {"description": meaning, "headers": headers.given(*_given(status, described))}
            if (body := _body(status, each, schemas)) is not None:
                bodies[status]["content"] = body
    for status in errors.possible(each, public=described.public):
        bodies[status] = errors.reference(status)
    return {str(status): bodies[status] for status in sorted(bodies)}


def _given(status: int, described: Described) -> tuple[str, ...]:
    own = described.operation.gives
    counted = () if described.public else headers.COUNTED
    return (*(own if status < 300 else tuple(name for name in own if name == "ETag")), *counted)


def _body(status: int, each: Operation, schemas: Schemas) -> Json | None:
    if status in (204, 304):
        return None
    model = each.besides.get(status, each.response)
    if model is not None:
        return {each.media: _content(schemas.given(model))}
    content: Json = {"schema": {"type": "string"}, "example": TEXTS[each.id]}
    if each.media == ANY_BYTES:
        content["schema"]["format"] = "binary"  # by which generators tell bytes from a text
    if each.events is not None:
        # OpenAPI 3.1 has no word for the items of a stream; 3.2 calls it `itemSchema`.
        content["x-itemSchema"] = schemas.given(each.events)
    assert each.media != "application/json", f"{each.id} answers JSON and has no model"
    return {each.media: content}
