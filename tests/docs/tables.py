"""The tables of docs/ that are made from the code: `python -m tests.docs.tables` writes them anew."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from falcon.testing import TestClient

from api.access.rules import rule_of
from api.app import create_app
from api.description.openapi import TAGS
from dashboard.routes import pages
from metrics import table
from settings import read
from tasks.lifecycle import MEANING, TRANSITIONS
from tests.docs.chinese import LIFE_CYCLE, ROUTES
from tests.docs.chinese import TAGS as CHINESE_TAGS
from tests.test_requirements import ROOT

#: What stands around a table that is made.
BEGIN, END = "<!-- made from the code: {} -->\n", "<!-- until here -->"


def routes(*, chinese: bool = False) -> str:
    """Every route, by the headings of the OpenAPI document."""
    said = partial(translated, ROUTES) if chinese else str
    document: dict[str, Any] = TestClient(create_app(read({}), pages())).simulate_get("/openapi.json").json
    rows = defaultdict(list)
    for path, methods in document["paths"].items():
        for method, entry in methods.items():
            role = rule_of(method.upper(), path).role or ("无需密钥" if chinese else "no key")
            rows[entry["tags"][0]].append(f"| `{method.upper()} {path}` | {role} | {said(entry['summary'])} |\n")
    heads = f"| {'路由 | 角色 | 作用' if chinese else 'route | role | what it does'} |\n|---|---|---|\n"
    titles = {tag: f"{CHINESE_TAGS[tag]}（{tag}）" if chinese else tag for tag in TAGS}
    return "\n".join(
        f"## {titles[tag]}\n\n{said(TAGS[tag])}\n\n{heads}{''.join(rows[tag])}" for tag in TAGS if rows[tag]
    )


def translated(catalogue: dict[str, str], sentence: str) -> str:
    """Return the Chinese of a sentence."""
    assert sentence in catalogue, f"tests/docs/chinese.py lacks the Chinese of {sentence!r}"
    return catalogue[sentence]


def life_cycle(*, chinese: bool = False) -> str:
    """Every state of a task, and every transition with the states that it leads from and to."""

    def said(sentence: str) -> str:
        return LIFE_CYCLE[sentence] if chinese else sentence

    states = "".join(f"| `{state}` | {said(meaning)} |\n" for state, meaning in MEANING.items())
    transitions = ""
    for transition in TRANSITIONS:
        sources = ", ".join(f"`{source}`" for source in transition.sources) or "–"
        transitions += f"| `{transition.name}` | {sources} | `{transition.target}` | {said(transition.when)} |\n"
    of_states = "## 状态\n\n| 状态 | 含义 |" if chinese else "## States\n\n| state | what it means |"
    of_transitions = (
        "## 转换\n\n| 转换 | 起始状态 | 目标状态 | 发生时机 |"
        if chinese
        else "## Transitions\n\n| transition | from | to | when |"
    )
    return f"{of_states}\n|---|---|\n{states}\n{of_transitions}\n|---|---|---|---|\n{transitions}"


TABLES: dict[str, Callable[[], str]] = {
    "rest.md": routes,
    "rest.zh.md": partial(routes, chinese=True),
    "metrics.md": table,
    "metrics.zh.md": partial(table, chinese=True),
    "life-cycle.md": life_cycle,
    "life-cycle.zh.md": partial(life_cycle, chinese=True),
}


def parts(page: Path) -> tuple[str, str, str]:
    """What stands on a page before its table, the table, and what stands after it."""
    begin, end = BEGIN.format(page.name.partition(".")[0]), END
    match = re.fullmatch(f"(.*{re.escape(begin)})(.*)({end}.*)", page.read_text("utf-8"), re.DOTALL)
    assert match, f"{page} has no table that is made from the code"
    return match[1], match[2], match[3]


if __name__ == "__main__":
    for name, made in TABLES.items():
        path = ROOT / "docs" / name
        before, _, after = parts(path)
        path.write_text(f"{before}\n{made()}\n{after}", encoding="utf-8")
