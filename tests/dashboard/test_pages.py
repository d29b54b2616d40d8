"""Every page over HTTP: it says what is so, in both languages, and nothing that a caller wrote becomes markup."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import pytest

from api.access.callers import ANYBODY
from dashboard import rendering
from dashboard.pages.overview import PLOTS
from dashboard.viewer import Viewer
from models.base import rfc3339
from tasks.input.fields import Filter
from tests.api.conftest import Client

AT, TASK = "2026-01-02T03:04:05Z", "00000000-0000-7000-8000-000000000000"
HOSTILE = "<img src=x onerror=alert(1)>\"'/../a b"


class Markup(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.lines: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data
        self.lines.append(data.strip())


def page(client: Client, path: str, language: str = "en") -> Markup:
    answer = client.http.get(path, headers={"Accept-Language": language})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "unsafe" not in answer.headers["content-security-policy"]
    return Markup(answer.text)


@pytest.mark.parametrize(("language", "title"), [("en", "Queues"), ("zh-CN", "队列")])
def test_a_page_speaks_the_browsers_language(client: Client, language: str, title: str) -> None:
    markup = page(client, "/queues", language)
    assert title in markup.text
    assert "preprocessing" in markup.text
    assert ("html", {"lang": "zh-CN" if "zh" in language else "en"}) in markup.tags


def test_the_choice_of_a_language_is_kept_and_leads_nowhere_else(client: Client) -> None:
    answer = client.http.get("/preferences", params={"language": "zh", "next": "/queues"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/queues")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("language=zh;")
    assert "SameSite=Lax" in cookie
    for elsewhere in ("//evil.example/", "https://evil.example/", "/\\evil.example", "/\t/evil.example"):
        assert client.http.get("/preferences", params={"next": elsewhere}).headers["location"] == "/"
        assert 'data-next="/"' in client.http.get("/sign-in", params={"next": elsewhere}).text
    client.http.cookies.clear()


def test_what_a_caller_wrote_is_never_markup(client: Client, kb_id: str) -> None:
    client.take_in(kb_id, "The text of a page. <script>alert(2)</script>", HOSTILE)
    task = client.submit(task_type="test", kb_id=kb_id, metadata={"note": HOSTILE}, payload={"message": HOSTILE})
    client.ended(task)
    kb = page(client, f"/kbs/{kb_id}")
    (link,) = {attrs["href"] for tag, attrs in kb.tags if tag == "a" and "/documents/" in (attrs.get("href") or "")}
    assert HOSTILE in kb.text
    assert link is not None
    shown = page(client, link)
    assert "<script>alert(2)</script>" in shown.text
    for markup in (kb, shown, page(client, f"/tasks/{task}"), page(client, f"/tasks?kb_id={kb_id}")):
        assert not [tag for tag, attrs in markup.tags if tag == "img" or any(name.startswith("on") for name in attrs)]
        assert {attrs["src"] for tag, attrs in markup.tags if tag == "script"} <= {
            attrs["src"] for tag, attrs in markup.tags if tag == "script" and str(attrs["src"]).startswith("/static/")
        }


def test_the_filter_stands_in_the_address(client: Client, kb_id: str) -> None:
    task = client.submit(kb_id=kb_id)
    client.ended(task)
    assert f"task-{task}" in {attrs.get("id") for _, attrs in page(client, f"/tasks?kb_id={kb_id}&status=").tags}
    assert "No task matches." in page(client, f"/tasks?kb_id={kb_id}&status=failed").text
    assert client.http.get("/tasks?status=strange").status_code == 422


def test_several_statuses_are_chips_of_their_own_and_buttons_are_for_those_that_they_fit(
    client: Client, kb_id: str
) -> None:
    client.ended(client.submit(kb_id=kb_id))
    for query in ("status=completed&status=failed", "status=completed,failed"):
        markup = page(client, f"/tasks?kb_id={kb_id}&{query}")
        chosen = [
            attrs["value"] for tag, attrs in markup.tags if attrs.get("type") == "checkbox" and "checked" in attrs
        ]
        assert chosen == ["completed", "failed"]
        chips = [str(attrs["href"]) for _, attrs in markup.tags if attrs.get("class") == "chip"]
        assert [chip.partition("?")[2].split("&") for chip in chips] == [
            ["status=completed", "status=failed"],
            [f"kb_id={kb_id}", "status=failed"],
            [f"kb_id={kb_id}", "status=completed"],
        ]
        assert "Tasks that match: 1" in markup.text
        bodies = {
            attrs["data-path"]: json.loads(str(attrs["data-body"])) for _, attrs in markup.tags if "data-body" in attrs
        }
        assert bodies == {
            "/api/v1/tasks/retry": {"filter": {"kb_id": kb_id, "status": ["failed"]}},
            "/api/v1/tasks/reingest": {"filter": {"kb_id": kb_id, "status": ["completed"]}},
        }


def test_buttons_of_the_batches_are_for_all_of_the_filter(client: Client, kb_id: str) -> None:
    named = {"kb_id": kb_id, "task_status": "failed"}
    for query, filter in (
        ({}, {"filter": {}, "all": True}),
        ({**named, "limit": 5}, {"filter": named}),
        ({**named, "status": "completed"}, {"filter": {**named, "status": "completed"}}),
    ):
        tags = page(client, f"/batches?{urlencode(query)}").tags
        bodies = {
            attrs["data-path"]: json.loads(str(attrs["data-body"]))
            for _, attrs in tags
            if str(attrs.get("data-path")).startswith("/api/v1/batches/") and attrs.get("data-preview")
        }
        paths = ["/api/v1/batches/cancel", "/api/v1/batches/retry"]
        # What has ended has nothing to be cancelled.
        assert bodies == dict.fromkeys(paths[1:] if "status" in query else paths, filter)
        assert client.http.post(paths[1], json={**filter, "dry_run": True}).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        {"queue": "default", "priority": "high", "created_after": "2026-01-02T03:04:05Z", "task_type": "test"},
        {"status": "failed", "finished_after": "2026-01-02T03:04:05Z", "finished_before": "2099-01-01T00:00:00Z"},
        {"kb_id": "kb", "document_id": "d", "error_code": "empty", "created_before": "2099-01-01T00:00:00Z"},
    ],
)
def test_every_filter_has_its_field_which_keeps_what_the_address_says(client: Client, query: dict[str, str]) -> None:
    markup = page(client, f"/tasks?{urlencode(query)}")
    fields = {str(attrs.get("name")) for tag, attrs in markup.tags if tag in ("input", "select")}
    assert set(Filter.model_fields) <= fields
    kept = {
        str(attrs.get("name")): attrs.get("data-at") or attrs.get("value")
        for tag, attrs in markup.tags
        if tag == "input" and (attrs.get("type") != "checkbox" or "checked" in attrs)
    }
    selected = {attrs["value"] for tag, attrs in markup.tags if tag == "option" and "selected" in attrs}
    for name, value in query.items():
        assert kept.get(name) == value or value in selected, name


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/batches", {"status": "completed", "task_status": "failed", "kb_id": "kb", "created_after": AT}),
        ("/kbs", {"prefix": "hr-", "task_status": "failed"}),
        ("/queues", {"state": "no_worker"}),
        ("/workers", {"state": "silent", "queue": "default"}),
        ("/callbacks", {"state": "failed", "host": "a.example", "kb_id": "kb", "task_id": TASK, "created_before": AT}),
        ("/audit", {"action": "task.cancel", "name": "ops", "kb_id": "kb", "since": AT}),
        ("/errors", {"window": "7d", "kb_id": "kb"}),
        ("/kbs/kb", {"prefix": "a/", "state": "failed", "format": "pdf", "metadata": "a=b", "updated_after": AT}),
    ],
)
def test_each_list_keeps_its_filter_in_fields_and_shows_it_as_chips(
    client: Client, path: str, query: dict[str, str]
) -> None:
    markup = page(client, f"{path}?{urlencode(query)}", "zh")
    fields = {
        str(attrs.get("name")): attrs.get("data-at") or attrs.get("value")
        for tag, attrs in markup.tags
        if tag == "input"
    }
    selected = {attrs["value"] for tag, attrs in markup.tags if tag == "option" and "selected" in attrs}
    chips = [str(attrs["href"]) for _, attrs in markup.tags if attrs.get("class") == "chip"]
    for name, value in query.items():
        assert fields.get(name) == value or value in selected, name
        rest = urlencode({field: said for field, said in query.items() if field != name})
        assert name == "window" or f"{path}?{rest}" in chips, name
    (live,) = [str(attrs["hx-sse:connect"]) for _, attrs in markup.tags if "hx-sse:connect" in attrs]
    assert urlencode(query) in live
    assert not re.search("There is no|No .* matches", markup.text), "an empty list says so in Chinese"


def test_a_row_keeps_its_name_wherever_it_stands(client: Client, kb_id: str) -> None:
    """Else one row would become another where somebody points at it."""
    for name in ("a", "b", "c"):
        client.take_in(kb_id, f"The text of {name}.", name)
        client.ended(client.upload(kb_id, b"", f"{name}.{name}").json()["task_id"])
    for path, turned in (
        (f"/kbs/{kb_id}", f"/kbs/{kb_id}?sort=-document_id"),
        (f"/kbs?prefix={kb_id}", f"/kbs?prefix={kb_id[:5]}"),
        (f"/errors?kb_id={kb_id}", f"/errors?kb_id={kb_id}&window=7d"),
    ):
        before, after = rows(client, path), rows(client, turned)
        assert before.keys() & after.keys(), path
        assert all(before[name] == after[name] for name in before.keys() & after.keys())
        assert len(set(after.values())) == len(after), "each is another"


def rows(client: Client, path: str) -> dict[str, str]:
    """Where the first link of each row leads, by the row's name."""
    markup = client.http.get(path).text
    links = re.findall(r'<tr id="((?:document|kb|error)-[^"]*)">.*?<a href="([^"]*)"', markup, re.S)
    return {name: re.sub("&amp;finished_after=[^&]*", "", link) for name, link in links}


def test_any_priority_can_be_set(client: Client, kb_id: str) -> None:
    markup = page(client, f"/tasks?kb_id={kb_id}&status=waiting&status=queued")
    place = next(
        index for index, (_, attrs) in enumerate(markup.tags) if str(attrs.get("data-path")).endswith("prioritise")
    )
    options = [attrs["value"] for tag, attrs in markup.tags[place - 4 : place] if tag == "option"]
    assert options == ["low", "normal", "high", "urgent"]


def test_documents_are_filtered_by_all_that_rest_knows_and_say_their_state(client: Client, kb_id: str) -> None:
    client.take_in(kb_id, "# A text", "a.md", filename="a.md")
    task = client.submit(
        task_type="document_processing",
        kb_id=kb_id,
        payload={"content": "b", "document_id": "b.txt"},
        metadata={"lang": "de"},
    )
    assert client.ended(task)["status"] == "completed"
    failed = {"task_type": "document_processing", "kb_id": kb_id, "payload": {"content": " ", "document_id": "b.txt"}}
    client.ended(client.submit(**failed))
    assert {"up to date", "newer failed"} <= set(page(client, f"/kbs/{kb_id}").lines)
    for query, expected in (
        ("state=failed", ["b.txt"]),
        ("state=current", ["a.md"]),
        ("metadata=lang%3Dde", ["b.txt"]),
        ("updated_after=2099-01-01T00:00:00Z", []),
        ("updated_after=9999-12-31T23:00:00-14:00", []),
        ("sort=-document_id", ["b.txt", "a.md"]),
        ("format=text", ["b.txt"]),
    ):
        markup = page(client, f"/kbs/{kb_id}?{query}")
        links = [attrs["href"] for tag, attrs in markup.tags if tag == "a" and "/documents/" in str(attrs.get("href"))]
        assert links == [f"/kbs/{kb_id}/documents/{document_id}" for document_id in expected], query
        bodies = [attrs["data-body"] for _, attrs in markup.tags if str(attrs.get("data-path")).endswith("/delete")]
        assert len(bodies) == ("sort" not in query)
        for body in bodies:
            answer = client.http.post(
                f"/api/v1/kbs/{kb_id}/documents/delete", json=json.loads(str(body)) | {"dry_run": True}
            )
            assert answer.json()["count"] == len(expected), query
    assert client.http.get(f"/kbs/{kb_id}?state=strange").status_code == 422


def test_a_kb_shows_as_failed_what_nothing_has_mended(client: Client, kb_id: str) -> None:
    def fail(document_id: str) -> str:
        payload = {"content": " ", "document_id": document_id}
        return str(
            client.ended(client.submit(task_type="document_processing", kb_id=kb_id, payload=payload))["task_id"]
        )

    mended, deleted, *open_still = (fail(name) for name in ("mended", "deleted", "twice", "twice", "once"))
    client.take_in(kb_id, "Now it has a text.", "mended")
    fail("gone")
    assert client.http.delete(f"/api/v1/kbs/{kb_id}/documents/deleted").status_code == 404
    client.take_in(kb_id, "It is there.", "gone")
    shown = [
        attrs["id"] for _, attrs in page(client, f"/kbs/{kb_id}").tags if str(attrs.get("id")).startswith("failed-")
    ]
    assert shown == [f"failed-{name}" for name in (open_still[2], open_still[1], deleted)]
    assert mended not in str(shown)
    for number in range(4):
        fail(f"more-{number}")
    markup = page(client, f"/kbs/{kb_id}")
    (following,) = [str(attrs["href"]) for _, attrs in markup.tags if attrs.get("rel") == "next"]
    rest = page(client, following)
    assert [attrs["id"] for _, attrs in rest.tags if str(attrs.get("id")).startswith("failed-")] == shown[1:]


def test_a_page_that_is_looked_at_is_sent_what_has_changed(client: Client, kb_id: str) -> None:
    with client.http.stream("GET", f"/kbs/{kb_id}?live=1", timeout=30) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = (line for line in answer.iter_lines() if line)
        assert "No document is searchable yet." in next(lines)
        client.take_in(kb_id, "It came while somebody looked.", "late")
        assert next(line for line in lines if re.search(r"^data: .*>late</a>", line))


def test_a_page_on_which_only_ages_have_changed_is_the_same(idle_client: Client) -> None:
    viewer = Viewer("en", "light", ANYBODY)
    for template, path in (("overview.html", "stats/overview"), ("queues.html", "stats/queues")):
        figures = idle_client.http.get(f"/api/v1/{path}").json()
        now = datetime.fromisoformat(figures["as_of"])

        def after(seconds: int, figures: Any = figures, template: str = template, now: datetime = now) -> str:
            aged = {"waiting": 1, "oldest_age_seconds": 5.25 + seconds}
            queues = [queue | aged for queue in figures.get("queues", [])]
            values = {**figures, **aged, "queues": queues, "as_of": rfc3339(now + timedelta(seconds=seconds))}
            return rendering.live(template, viewer, values)

        assert 'class="age"' in after(0)
        assert after(0) == after(1) == after(3600)


def test_a_queue_that_is_paused_says_who_paused_it_and_why(client: Client) -> None:
    client.http.post("/api/v1/queues/storing/pause", json={"reason": "a disk is changed"})
    try:
        assert "a disk is changed" in page(client, "/queues").text
    finally:
        client.http.post("/api/v1/queues/storing/resume")


def test_a_name_may_hold_what_divides_an_address(client: Client, kb_id: str) -> None:
    client.take_in(kb_id, "A text.", "a/b?c#d.md")
    path = f"/kbs/{kb_id}/documents/a%2Fb%3Fc%23d.md"
    markup = page(client, path)
    (live,) = [attrs["hx-sse:connect"] for _, attrs in markup.tags if "hx-sse:connect" in attrs]
    assert live == f"{path}?live=1"
    choices = [attrs["href"] for tag, attrs in markup.tags if tag == "a" and "/preferences" in (attrs["href"] or "")]
    assert {client.http.get(str(choice)).headers["location"] for choice in choices} == {path}
    client.http.cookies.clear()


def test_a_row_of_the_errors_leads_to_these_tasks_and_retries_them_alone(client: Client, kb_id: str) -> None:
    for name, text in (("empty.txt", b""), ("empty.md", b""), ("blank.md", b" ")):
        client.ended(client.upload(kb_id, text, name).json()["task_id"])
    markup = page(client, f"/errors?kb_id={kb_id}&window=1h")
    bodies = [json.loads(str(attrs["data-body"])) for _, attrs in markup.tags if "data-body" in attrs]
    links = [
        str(attrs["href"]) for tag, attrs in markup.tags if tag == "a" and "error_code=" in (attrs.get("href") or "")
    ]
    assert [body["filter"]["format"] for body in bodies] == ["md", "txt"]
    for body, link, count in zip(bodies, links, (2, 1), strict=True):
        assert body["filter"]["kb_id"] == kb_id
        previewed = client.http.post("/api/v1/tasks/retry", json={**body, "dry_run": True})
        assert (previewed.status_code, previewed.json()["count"]) == (200, count)
        assert f"Tasks that match: {count}" in page(client, link).text
        assert "finished_after=" in link


def test_what_is_not_there_is_told_so(client: Client) -> None:
    for path in ("/tasks/00000000-0000-0000-0000-000000000000", "/tasks/x", "/kbs/none/documents/none"):
        assert client.http.get(path).status_code == 404


def test_a_problem_and_an_error_are_told_in_the_viewers_language(client: Client, kb_id: str) -> None:
    answer = client.http.get("/tasks?status=strange", headers={"Accept-Language": "zh", "Accept": "text/html"})
    assert "请求内容有误" in answer.text
    task = client.ended(client.upload(kb_id, b"", "empty.txt").json()["task_id"])
    markup = page(client, f"/tasks/{task['task_id']}", "zh")
    assert task["error"]["hint_zh"] in markup.text
    assert {"预处理", "文档中没有任何文字。"} <= {part.strip() for part in markup.lines}
    names = next(
        attrs["data-names"]
        for _, attrs in page(client, f"/kbs/{kb_id}", "zh").tags
        if "data-names" in attrs and attrs["id"] == "files"
    )
    assert {"queued": "排队中", "embedding": "向量化"}.items() <= json.loads(str(names)).items()


def test_files_are_kept_for_ever_under_their_digest_and_only_there(client: Client) -> None:
    address = re.search(r"/static/\w+/dashboard\.js", client.http.get("/queues").text)
    assert address is not None
    answer = client.http.get(address[0])
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/javascript")
    assert client.http.get("/static/0/dashboard.js").headers["cache-control"] == "no-cache"
    for name in ("LICENSES.md", "..%2fwords.py", "none.js"):
        assert client.http.get(f"/static/0/{name}").status_code == 404


def test_a_task_says_what_it_waits_for_in_either_language(idle_client: Client) -> None:
    first = idle_client.submit(run_at="2100-01-01T00:00:00Z")
    task_id = idle_client.submit(depends_on=[first])
    page = idle_client.http.get(f"/tasks/{task_id}").text
    assert "It depends on other tasks, 1 of which have not ended yet." in page
    assert f'href="/tasks/{first}"' in page
    page = idle_client.http.get(f"/tasks/{task_id}", headers={"Accept-Language": "zh"}).text
    assert "它依赖其他任务，其中 1 个尚未结束。" in page


def test_a_document_tells_how_much_of_it_stands_in_chunks_and_what_became_of_each_version(
    client: Client, kb_id: str
) -> None:
    text = "# Leave\n\n" + "Everybody has thirty days of leave. " * 60
    made = client.take_in(kb_id, text, "d")
    failed = client.ended(
        client.submit(task_type="document_processing", kb_id=kb_id, payload={"content": " ", "document_id": "d"})
    )
    assert failed["status"] == "failed"
    markup = page(client, f"/kbs/{kb_id}/documents/d")
    ids = [attrs["id"] for _, attrs in markup.tags if "id" in attrs]
    assert "new-failed" in ids
    assert ids.index(f"task-{failed['task_id']}") < ids.index(f"task-{made['task_id']}"), "the newest first"
    share = re.search(r"([\d.]+) % of the text stand in chunks", markup.text)
    assert share is not None
    assert 95 < float(share[1]) <= 100
    marked = [
        attrs["class"] for tag, attrs in markup.tags if tag == "a" and (attrs.get("class") or "").startswith("mark")
    ]
    assert len(marked) >= made["result"]["chunks"]
    assert "mark1 both" in marked, "what two chunks share"
    unknown = client.ended(
        client.submit(task_type="document_processing", kb_id=kb_id, payload={"content": " ", "document_id": "new"})
    )
    assert unknown["task_id"][-12:] in page(client, f"/kbs/{kb_id}/documents/new").text


def test_a_document_leads_to_its_original_where_it_is_kept_and_its_versions_are_paged(
    client: Client, kb_id: str
) -> None:
    client.take_in(kb_id, "A text.", "d")
    path = f"/kbs/{kb_id}/documents/d"
    assert ("a", f"/api/v1{path}/original") in {(tag, attrs.get("href")) for tag, attrs in page(client, path).tags}
    assert client.http.get(f"/api/v1{path}/original").text == "A text."
    client.execute(f"UPDATE versions SET original = NULL WHERE kb_id = '{kb_id}'")
    assert "Its original" not in page(client, path).text
    for number in range(10):
        client.take_in(kb_id, f"Text {number}.", "d")
    markup = page(client, path)
    assert len(versions(markup)) == 10
    (following,) = [str(attrs["href"]) for _, attrs in markup.tags if attrs.get("rel") == "next"]
    assert len(versions(page(client, following))) == 1


def versions(markup: Markup) -> list[str]:
    return [str(attrs["id"]) for tag, attrs in markup.tags if tag == "tr" and str(attrs.get("id")).startswith("task-")]


def test_documents_are_found_by_how_their_ids_begin(client: Client, kb_id: str) -> None:
    for name in ("rules/a", "rules/b", "other"):
        client.take_in(kb_id, f"The text of {name}.", name)
    markup = page(client, f"/kbs/{kb_id}?prefix=rules/")
    assert "other" not in markup.text
    assert "rules/b" in markup.text
    (body,) = [attrs["data-body"] for _, attrs in markup.tags if (attrs.get("data-path") or "").endswith("/delete")]
    assert json.loads(str(body)) == {"filter": {"prefix": "rules/"}}
    items = client.http.get(f"/api/v1/kbs/{kb_id}/documents", params={"prefix": "rules/"}).json()["items"]
    assert [item["document_id"] for item in items] == ["rules/a", "rules/b"]


def test_a_kb_shows_its_weight_where_it_has_one(client: Client, kb_id: str) -> None:
    client.take_in(kb_id, "Green tea.", "a")
    assert "Weight" not in page(client, f"/kbs/{kb_id}").text
    client.http.patch(f"/api/v1/kbs/{kb_id}", json={"weight": 3})
    assert "Weight 3: " in page(client, f"/kbs/{kb_id}").text


def test_a_question_in_the_address_stands_in_the_search(idle_client: Client) -> None:
    markup = page(idle_client, "/kbs/none-yet?query=tea")
    (box,) = [attrs for tag, attrs in markup.tags if tag == "input" and attrs.get("name") == "query"]
    assert box["value"] == "tea"


def test_the_plots_are_one_answer(client: Client) -> None:
    plots = client.http.get("/plots", params={"window": "24h"}).json()
    assert plots.keys() == {metric for metric, _ in PLOTS}
    for plot in plots.values():
        assert all(len(series["values"]) == len(plot["times"]) for series in plot["series"])
