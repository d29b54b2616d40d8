"""The tables of docs/ that are made from the code: `python -m tests.docs.tables` writes them anew."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from falcon.testing import TestClient

from api.access.rules import rule_of
from api.app import create_app
from api.description.openapi import TAGS
from dashboard.routes import pages
from metrics import ALL
from settings import read
from tests.test_requirements import ROOT

#: What stands around a table that is made.
BEGIN, END = "<!-- made from the code: {} -->\n", "<!-- until here -->"


def routes() -> str:
    """Every route, by the headings of the OpenAPI document."""
    document: dict[str, Any] = TestClient(create_app(read({}), pages())).simulate_get("/openapi.json").json
    rows = defaultdict(list)
    for path, methods in document["paths"].items():
        for method, entry in methods.items():
            role = rule_of(method.upper(), path).role or "no key"
            rows[entry["tags"][0]].append(f"| `{method.upper()} {path}` | {role} | {entry['summary']} |\n")
    heads = "| route | role | what it does |\n|---|---|---|\n"
    return "\n".join(f"## {tag}\n\n{TAGS[tag]}\n\n{heads}{''.join(rows[tag])}" for tag in TAGS if rows[tag])


def metrics() -> str:
    """Every metric of `/metrics`."""
    rows = (
        f"| `{metric.name}` | {metric.kind} | {', '.join(f'`{label}`' for label in metric.labels)} | {metric.help} |\n"
        for metric in ALL
    )
    return f"| metric | kind | labels | what it is |\n|---|---|---|---|\n{''.join(rows)}"


TABLES = {"rest.md": routes, "metrics.md": metrics}


def parts(page: Path) -> tuple[str, str, str]:
    """What stands on a page before its table, the table, and what stands after it."""
    begin, end = BEGIN.format(page.name.removesuffix(".md")), END
    found = re.fullmatch(f"(.*{re.escape(begin)})(.*)({end}.*)", page.read_text("utf-8"), re.DOTALL)
    assert found, f"{page} has no table that is made from the code"
    return found[1], found[2], found[3]


if __name__ == "__main__":
    for name, table in TABLES.items():
        path = ROOT / "docs" / name
        before, _, after = parts(path)
        path.write_text(f"{before}\n{table()}\n{after}", encoding="utf-8")
