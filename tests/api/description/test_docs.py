"""The page at `/docs`."""

from __future__ import annotations

import hashlib
import html
import re

import pytest

from errors import CODES, REFUSALS
from tests.api.conftest import Client, is_problem

#: Of swagger-ui-dist 5.31.0, as its project publishes it on npm.
PUBLISHED = {
    "swagger-ui-bundle.js": "93b7b0862a80e2786f85b560be7693c2344354ffa7e7e224f850a54349724c31",
    "swagger-ui.css": "9e576f8322132c76949da47f9bb53c891373c303ea3a761ff548ffc9de50a98c",
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_its_files_are_those_that_swagger_ui_publishes(idle_client: Client, name: str) -> None:
    answer = idle_client.http.get(f"/docs/{name}")
    assert hashlib.sha256(answer.content).hexdigest() == PUBLISHED[name]
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_it_fetches_nothing_from_elsewhere(idle_client: Client) -> None:
    page = idle_client.http.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(directive.split(" ", 1) for directive in page.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert not re.search(r"https?://|<script>|\son\w+=", page.text)
    fetched = re.findall(r'(?:src|href)="(docs/[^"]+)"', page.text)
    assert len(fetched) == 3
    for path in fetched:
        assert idle_client.http.get(f"/{path}").status_code == 200
    # Swagger UI would ask validator.swagger.io.
    assert "validatorUrl: null" in idle_client.http.get("/docs/start.js").text


@pytest.mark.parametrize("name", ["page.py", "..%2Fpage.py", "swagger-ui.js", "%2Fetc%2Fpasswd"])
def test_nothing_else_is_to_be_had_there(idle_client: Client, name: str) -> None:
    is_problem(idle_client.http.get(f"/docs/{name}"), 404)


@pytest.mark.parametrize("code", [*REFUSALS, *CODES])
def test_the_type_of_a_problem_leads_to_its_code(idle_client: Client, code: str) -> None:
    page = idle_client.http.get("/docs/errors")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    section = page.text.partition(f'<section id="{code}">')[2].partition("</section>")[0]
    promised = REFUSALS.get(code) or CODES[code]
    assert html.escape(promised.hint.partition("`")[0]) in section
    assert promised.hint_zh.partition("`")[0] in section
