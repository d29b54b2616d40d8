"""The OpenAPI 3.1 document, made from what the responders say of themselves, and a page that shows it."""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import falcon
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.description.operation import Operation, operation

METHODS = ("get", "post", "delete")


def document(
    routes: list[tuple[str, Any]], version: str, public: frozenset[str], payloads: dict[str, type[BaseModel]]
) -> dict[str, Any]:
    """Return the OpenAPI document of a table of routes.

    Parameters:
      routes: path templates with their resources.
      public: the paths that need no key.
      payloads: what each task type is submitted with, by the type's name.
    """
    described = [
        (path, method, described_by, type(resource).__name__)
        for path, resource in routes
        for method in METHODS
        if (described_by := getattr(getattr(resource, f"on_{method}", None), "operation", None)) is not None
    ]
    models: set[type[BaseModel]] = {
        model for _, _, each, _ in described for model in (each.request, each.query, each.response) if model
    }
    models.update(payloads.values())
    ordered = sorted(models, key=lambda model: model.__name__)
    references, schemas = models_json_schema(
        [(model, "validation") for model in ordered], ref_template="#/components/schemas/{model}"
    )
    schema_of = {model: references[model, "validation"] for model in ordered}
    schemas.setdefault("$defs", {})["Problem"] = PROBLEM_SCHEMA
    paths: dict[str, dict[str, Any]] = {}
    for path, method, each, name in _named(described):
        entry = _entry(path, each, schema_of, schemas["$defs"])
        entry |= {"operationId": name, "tags": [_tag(path)]}
        if path not in public:
            entry["security"] = [{"key": []}]
        paths.setdefault(path, {})[method] = entry
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Task Manager Service",
            "version": version,
            "description": "Turns documents into searchable knowledge.",
        },
        "paths": paths,
        "x-payloads": {name: schema_of[model] for name, model in payloads.items()},
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _named(described: list[tuple[str, str, Operation, str]]) -> Iterator[tuple[str, str, Operation, str]]:
    """Path, method and operation, each with an id of its own instead of the name of its resource."""
    names: Counter[str] = Counter()
    for path, method, each, resource in described:
        name = f"{method}_{resource}".lower()
        names[name] += 1
        # One resource may be at several addresses.
        yield path, method, each, name if names[name] == 1 else f"{name}_{names[name]}"


def _entry(
    path: str, each: Operation, schema_of: dict[Any, dict[str, Any]], definitions: dict[str, Any]
) -> dict[str, Any]:
    entry: dict[str, Any] = {"summary": each.summary, "responses": {}}
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]
    if each.query is not None:
        properties = definitions[each.query.__name__]["properties"]
        parameters += [{"name": name, "in": "query", "schema": schema} for name, schema in properties.items()]
    if parameters:
        entry["parameters"] = parameters
    if each.request is not None:
        content: dict[str, Any] = {"schema": schema_of[each.request]}
        if each.example is not None:
            content["example"] = each.example
        kind = "multipart/form-data" if each.form else "application/json"
        entry["requestBody"] = {"required": each.body_required, "content": {kind: content}}
    for status, meaning in each.answers.items():
        body = _body(status, each, schema_of)
        entry["responses"][str(status)] = {"description": meaning} | ({"content": body} if body else {})
    return entry


def _body(status: int, each: Operation, schema_of: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    if status >= 400 and status != 503:
        return {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    if status in (204, 304):
        return {}
    return {each.media: {"schema": schema_of[each.response] if each.response else {}}}


def _tag(path: str) -> str:
    parts = [part for part in path.removeprefix("/api/v1").split("/") if part and not part.startswith("{")]
    return TAGS.get(parts[0], "operations")


#: The heading of a path on the page, by the path's first part.
TAGS = {
    "tasks": "tasks",
    "batches": "batches",
    "kbs": "documents and search",
    "search": "documents and search",
    "chunk-preview": "documents and search",
}


PROBLEM_SCHEMA = {
    "title": "Problem",
    "description": "RFC 9457.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "request_id": {"type": "string"},
        "code": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}


class Document:
    """`/openapi.json`"""

    def __init__(self, spec: dict[str, Any]) -> None:
        self._spec = spec

    @operation("This document.", {200: "OpenAPI 3.1."})
    async def on_get(self, req: Any, resp: Any) -> None:
        resp.media = self._spec


class Home:
    """`/`"""

    async def on_get(self, req: Any, resp: Any) -> None:
        raise falcon.HTTPFound("/docs")


class Page:
    """`/docs`"""

    def __init__(self, spec: dict[str, Any]) -> None:
        self._page = page(spec)

    @operation("This document, to be read.", {200: "HTML that fetches nothing."}, media="text/html")
    async def on_get(self, req: Any, resp: Any) -> None:
        resp.content_type = "text/html; charset=utf-8"
        resp.set_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        resp.text = self._page


def page(spec: dict[str, Any]) -> str:
    """Return the document as one HTML page that needs no script and no other file."""
    by_tag: dict[str, list[str]] = {}
    for path, methods in spec["paths"].items():
        for method, entry in methods.items():
            by_tag.setdefault(entry["tags"][0], []).append(_section(path, method, entry, spec))
    contents = "".join(f'<a href="#{_anchor(tag)}">{tag}</a>' for tag in by_tag)
    sections = "".join(f'<h2 id="{_anchor(tag)}">{tag}</h2>{"".join(parts)}' for tag, parts in by_tag.items())
    payloads = "".join(
        f"<details><summary><code>{name}</code> <span>{_prose(_resolve(schema, spec).get('description', ''))}</span>"
        f"</summary>{_body_table('Payload', _resolve(schema, spec), spec)}</details>"
        for name, schema in spec["x-payloads"].items()
    )
    sections += f'<h2 id="payloads">payloads by task type</h2>{payloads}'
    info = spec["info"]
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{info['title']}</title>"
        f"<meta name=viewport content='width=device-width'><style>{STYLE}</style>"
        f"<header><h1>{info['title']} <small>{info['version']}</small></h1><p>{info['description']}</p>"
        f'<nav>{contents}<a href="#payloads">payloads</a></nav>'
        f"</header><main>{sections}</main></html>"
    )


def _anchor(tag: str) -> str:
    return tag.replace(" ", "-")


def _prose(text: str) -> str:
    """Text as HTML, what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _section(path: str, method: str, entry: dict[str, Any], spec: dict[str, Any]) -> str:
    parts = []
    if "parameters" in entry:
        rows = [(each["name"], each["in"], each["schema"]) for each in entry["parameters"]]
        parts.append(_table("Parameters", rows))
    for kind, content in entry.get("requestBody", {}).get("content", {}).items():
        schema = _resolve(content["schema"], spec)
        parts.append(_body_table(f"Body ({kind})", schema, spec))
        if "example" in content:
            example = html.escape(json.dumps(content["example"], indent=2, ensure_ascii=False))
            parts.append(f"<h4>Example</h4><pre>{example}</pre>")
    answers = "".join(
        f"<tr><td><code>{status}</code><td>{_prose(each['description'])}" for status, each in entry["responses"].items()
    )
    return (
        f"<details><summary><b class={method}>{method.upper()}</b> <code>{html.escape(path)}</code> "
        f"<span>{_prose(entry['summary'])}</span></summary>{''.join(parts)}"
        f"<h4>Answers</h4><table>{answers}</table></details>"
    )


def _body_table(title: str, schema: dict[str, Any], spec: dict[str, Any]) -> str:
    required = schema.get("required", ())
    rows = [
        (name, "required" if name in required else "optional", _resolve(each, spec))
        for name, each in schema.get("properties", {}).items()
    ]
    return _table(title, rows)


def _table(title: str, rows: list[tuple[str, str, dict[str, Any]]]) -> str:
    lines = "".join(
        f"<tr><td><code>{html.escape(name)}</code><td>{how}<td>{html.escape(_type_of(schema))}"
        f"<td>{_prose(schema.get('description', ''))}"
        for name, how, schema in rows
    )
    return f"<h4>{title}</h4><table>{lines}</table>"


def _resolve(schema: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    resolved: dict[str, Any] = spec["components"]["schemas"][reference.rpartition("/")[2]]
    return resolved


def _type_of(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        return " | ".join(_type_of(each) for each in schema["anyOf"] if each.get("type") != "null")
    kind = str(schema.get("type", "any"))
    bounds = [
        f"{sign} {schema[name]}"
        for name, sign in (
            ("minimum", "≥"),
            ("exclusiveMinimum", ">"),
            ("maximum", "≤"),
            ("maxLength", "length ≤"),
        )
        if name in schema
    ]
    default = f", default {schema['default']}" if schema.get("default") not in (None, {}, []) else ""
    return f"{kind} {', '.join(bounds)}".strip() + default


STYLE = """
:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1 small{font-weight:400;opacity:.6}nav a{margin-right:1rem}
h2{margin-top:2rem}h2::first-letter{text-transform:uppercase}
details{border:1px solid #8884;border-radius:6px;margin:.4rem 0;padding:.4rem .8rem}summary{cursor:pointer}
summary span{opacity:.75}b{display:inline-block;min-width:4.5em}.get{color:#2a7}.post{color:#27c}.delete{color:#c33}
table{border-collapse:collapse;width:100%}
td{border-top:1px solid #8883;padding:.25rem .6rem .25rem 0;vertical-align:top}
pre{background:#8882;padding:.6rem;border-radius:6px;overflow:auto}h4{margin:.8rem 0 .2rem}
"""
