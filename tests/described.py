"""Every answer that a test gets is held against what the OpenAPI document says of it.

A client of a `Deployment` does so by itself: an answer with a status, a media type, a field or a header that is not
described fails the test, and so does one that lacks what is promised.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx2
from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator

from api.description.operation import ANY_BYTES


class Described:
    """What the OpenAPI document of a service says.

    Parameters:
      document: as it is served.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._document = _closed(document)
        self._paths = sorted(document["paths"], key=lambda path: path.count("{"))
        self._validators: dict[str, Validator] = {}

    def check(self, answer: httpx2.Response) -> None:
        """Hold an answer against the document.

        Raises:
          AssertionError: naming what is not as it is described.
        """
        request = answer.request
        if request.method == "HEAD" or "x-request-id" not in answer.headers:
            # The answer to GET without its body; or one of the server before the application.
            return
        path = self._path(request.url.raw_path.decode().partition("?")[0])
        operation = self._document["paths"].get(path, {}).get(request.method.lower())
        where = f"{request.method} {request.url.path} answers {answer.status_code}"
        if operation is None:
            self._check_undescribed(answer, where)
            return
        described = operation["responses"].get(str(answer.status_code))
        assert described is not None, f"{where}; described are {', '.join(operation['responses'])}"
        self._check_described(answer, self._resolved(described), where)

    def events(self, data: dict[str, Any]) -> None:
        """Hold what a stream has sent in `data` against the document.

        Raises:
          AssertionError: naming what is not as it is described.
        """
        self._check(data, {"$ref": "#/components/schemas/Event"}, "the event")

    def callback(self, body: dict[str, Any]) -> None:
        """Hold the body of a callback against the document.

        Raises:
          AssertionError: naming what is not as it is described.
        """
        described = self._document["webhooks"][body["type"]]["post"]
        self._check(body, described["requestBody"]["content"]["application/json"]["schema"], "the callback")

    def examples(self) -> int:
        """Hold each example of an answer against its schema. Returns how many there are.

        Raises:
          AssertionError: naming what is not as it is described.
        """
        examples = list(self._examples())
        for where, example, schema in examples:
            self._check(example, schema, f"the example of {where}")
        return len(examples)

    def _examples(self) -> Iterator[tuple[str, Any, dict[str, Any]]]:
        """Each example of an answer and of a callback, with where it stands and the schema it is of."""
        components = self._document["components"]
        contents = [(name, response["content"]) for name, response in components["responses"].items()]
        for path, methods in {**self._document["paths"], **self._document["webhooks"]}.items():
            for method, entry in methods.items():
                where = f"{method} {path}"
                contents += [
                    (where, response["content"]) for response in entry["responses"].values() if "content" in response
                ]
                if "requestBody" in entry:
                    contents.append((where, entry["requestBody"]["content"]))
        for where, content in contents:
            for media in content.values():
                named = [components["examples"][name]["value"] for name in media.get("examples", ())]
                values = named or [media["example"]]
                yield from ((where, value, media["schema"]) for value in values)

    def _path(self, raw: str) -> str | None:
        parts = raw.split("/")
        return next((path for path in self._paths if _fits(path.split("/"), parts)), None)

    def _check_described(self, answer: httpx2.Response, described: dict[str, Any], where: str) -> None:
        promised = {name.lower() for name in described.get("headers", {})}
        for name in ("x-request-id", "location", "etag", "retry-after", "ratelimit", "ratelimit-policy"):
            assert name not in answer.headers or name in promised, f"{where} with the header {name}"
        content = described.get("content", {})
        if not content:
            assert answer.read() == b"", f"{where} with a body, which is not described"
            return
        media = answer.headers["content-type"].partition(";")[0]
        schemas = {kind.partition(";")[0]: entry for kind, entry in content.items()}
        assert media in schemas or ANY_BYTES in schemas, f"{where} with {media}; described is {', '.join(schemas)}"
        if media in schemas and media.endswith("json"):
            self._check(json.loads(answer.read()), schemas[media]["schema"], where)

    def _check_undescribed(self, answer: httpx2.Response, where: str) -> None:
        """What is no operation: an address that leads nowhere, and what a browser shows, such as `/docs`."""
        if answer.headers.get("content-type") == "application/problem+json":
            self._check(json.loads(answer.read()), {"$ref": "#/components/schemas/Problem"}, where)
        else:
            assert not answer.request.url.path.startswith("/api/"), f"{where}, and is not described"

    def _check(self, value: Any, schema: dict[str, Any], where: str) -> None:
        key = json.dumps(schema)
        if key not in self._validators:
            self._validators[key] = Draft202012Validator(
                {**schema, "components": self._document["components"]},
                format_checker=Draft202012Validator.FORMAT_CHECKER,
            )
        wrong = [_told(error) for error in self._validators[key].iter_errors(value)]
        assert not wrong, f"{where}, not as it is described: {'; '.join(wrong)}"

    def _resolved(self, described: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in described:
            return described
        response: dict[str, Any] = self._document["components"]["responses"][described["$ref"].rpartition("/")[2]]
        return response


def _fits(template: list[str], parts: list[str]) -> bool:
    return len(template) == len(parts) and all(
        (part != "" if named.startswith("{") else named == unquote(part))
        for named, part in zip(template, parts, strict=True)
    )


def _told(error: Any) -> str:
    """What does not fit, and where; of what is one of several, the one that fits best."""
    place = ".".join(map(str, error.absolute_path)) or "the body"
    if error.context:
        by_model: dict[Any, list[str]] = {}
        for cause in error.context:
            by_model.setdefault(cause.schema_path[0], []).append(_told(cause))
        return min(map("; ".join, by_model.values()), key=len)
    return f"{place}: {error.message[:300]}"


def _closed(document: dict[str, Any]) -> dict[str, Any]:
    """The document as it is read here: an object that does not say that others may come has the named fields only."""
    closed: dict[str, Any] = json.loads(json.dumps(document))
    for schema in _objects(closed["components"]["schemas"]):
        schema.setdefault("additionalProperties", False)
    return closed


def _objects(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
            yield schema
        for part in schema.values():
            yield from _objects(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _objects(part)


#: By the folder of the service's code.
_found: dict[Path, Described] = {}


#: Prints the document last, behind what is logged. A web process is not asked: it would hold what no other does.
PRINT = """
from falcon.testing import TestClient
from api.app import create_app
from dashboard.routes import pages
from settings import read
print(TestClient(create_app(read({}), pages())).simulate_get("/openapi.json").text)
"""


def described(root: Path) -> Described:
    """Return what the service in a folder says of itself; it is asked once for each."""
    if root not in _found:
        printed = subprocess.run([sys.executable, "-c", PRINT], cwd=root, capture_output=True, check=True)
        _found[root] = Described(json.loads(printed.stdout.splitlines()[-1]))
    return _found[root]
