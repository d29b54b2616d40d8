"""Every page over HTTP: it says what is so, in both languages, and nothing that a caller wrote becomes markup."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from dashboard.pages.overview import PLOTS
from tests.api.conftest import Client
from tests.servers import eventually

HOSTILE = "<img src=x onerror=alert(1)>\"'/../a b"


class Markup(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def page(client: Client, path: str, language: str = "en") -> Markup:
    answer = client.http.get(path, headers={"Accept-Language": language})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "unsafe" not in answer.headers["content-security-policy"]
    return Markup(answer.text)


@pytest.mark.parametrize(("language", "title"), [("en", "Queues"), ("zh-CN", "队列")])
def test_a_page_speaks_the_browsers_language(client: Client, language: str, title: str) -> None:
    found = page(client, "/queues", language)
    assert title in found.text
    assert "preprocessing" in found.text
    assert ("html", {"lang": "zh-CN" if "zh" in language else "en"}) in found.tags


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
    found = page(client, f"/kbs/{kb_id}")
    (link,) = {attrs["href"] for tag, attrs in found.tags if tag == "a" and "/documents/" in (attrs.get("href") or "")}
    assert HOSTILE in found.text
    assert link is not None
    shown = page(client, link)
    assert "<script>alert(2)</script>" in shown.text
    for each in (found, shown, page(client, f"/tasks/{task}"), page(client, f"/tasks?kb_id={kb_id}")):
        assert not [tag for tag, attrs in each.tags if tag == "img" or any(name.startswith("on") for name in attrs)]
        assert {attrs["src"] for tag, attrs in each.tags if tag == "script"} <= {
            attrs["src"] for tag, attrs in each.tags if tag == "script" and str(attrs["src"]).startswith("/static/")
        }


def test_the_filter_stands_in_the_address(client: Client, kb_id: str) -> None:
    task = client.submit(kb_id=kb_id)
    client.ended(task)
    assert f"task-{task}" in {attrs.get("id") for _, attrs in page(client, f"/tasks?kb_id={kb_id}&status=").tags}
    assert "No task matches." in page(client, f"/tasks?kb_id={kb_id}&status=failed").text
    assert client.http.get("/tasks?status=strange").status_code == 422


def test_a_page_that_is_looked_at_is_sent_what_has_changed(client: Client, kb_id: str) -> None:
    with client.http.stream("GET", f"/kbs/{kb_id}?live=1", timeout=30) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = (line for line in answer.iter_lines() if line)
        assert "No document is searchable yet." in next(lines)
        client.take_in(kb_id, "It came while somebody looked.", "late")
        assert next(line for line in lines if re.search(r"^data: .*>late</a>", line))


def test_a_page_on_which_only_ages_have_changed_is_the_same(idle_client: Client) -> None:
    """What nobody works on only grows older; the age of the figures is told beside, not within."""
    waiting = idle_client.submit()
    for path in ("/", "/queues", "/workers", f"/tasks/{waiting}"):
        first, as_of = news(idle_client, path)

        def again(path: str = path, first: str = first, as_of: str = as_of) -> bool:
            shown, then = news(idle_client, path)
            assert shown == first, path
            return not as_of or then != as_of

        eventually(again, reason="the figures are taken anew")
    assert 'class="age"' in first


def news(client: Client, path: str) -> tuple[str, str]:
    """Return the part of a page that its stream sends first, and of which moment that is."""
    with client.http.stream("GET", f"{path}?live=1", timeout=30) as answer:
        as_of = ""
        for line in answer.iter_lines():
            if line.startswith("id: "):
                as_of = line
            if line.startswith("data: "):
                return line, as_of
    raise AssertionError("it ended")


def test_a_queue_that_is_paused_says_who_paused_it_and_why(client: Client) -> None:
    client.http.post("/api/v1/queues/storing/pause", json={"reason": "a disk is changed"})
    try:
        assert "a disk is changed" in page(client, "/queues").text
    finally:
        client.http.post("/api/v1/queues/storing/resume")


def test_a_name_may_hold_what_divides_an_address(client: Client, kb_id: str) -> None:
    client.take_in(kb_id, "A text.", "a/b?c#d.md")
    path = f"/kbs/{kb_id}/documents/a%2Fb%3Fc%23d.md"
    found = page(client, path)
    (live,) = [attrs["hx-sse:connect"] for _, attrs in found.tags if "hx-sse:connect" in attrs]
    assert live == f"{path}?live=1"
    choices = [attrs["href"] for tag, attrs in found.tags if tag == "a" and "/preferences" in (attrs["href"] or "")]
    assert {client.http.get(str(each)).headers["location"] for each in choices} == {path}
    client.http.cookies.clear()


def test_what_is_done_to_the_failures_of_a_kb_is_done_to_these(client: Client, kb_id: str) -> None:
    client.ended(client.upload(kb_id, b"", "empty.txt").json()["task_id"])
    found = page(client, f"/errors?kb_id={kb_id}")
    (body,) = [attrs["data-body"] for _, attrs in found.tags if "data-body" in attrs]
    assert json.loads(str(body))["filter"]["kb_id"] == kb_id
    assert [attrs for tag, attrs in found.tags if tag == "a" and f"/tasks?kb_id={kb_id}&" in (attrs["href"] or "")]


def test_what_is_not_there_is_told_so(client: Client) -> None:
    for path in ("/tasks/00000000-0000-0000-0000-000000000000", "/tasks/x", "/kbs/none/documents/none"):
        assert client.http.get(path).status_code == 404


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
    found = page(client, f"/kbs/{kb_id}/documents/d")
    ids = [attrs["id"] for _, attrs in found.tags if "id" in attrs]
    assert "new-failed" in ids
    assert ids.index(f"task-{failed['task_id']}") < ids.index(f"task-{made['task_id']}"), "the newest first"
    share = re.search(r"([\d.]+) % of the text stand in chunks", found.text)
    assert share is not None
    assert 95 < float(share[1]) <= 100
    marked = [
        attrs["class"] for tag, attrs in found.tags if tag == "a" and (attrs.get("class") or "").startswith("mark")
    ]
    assert len(marked) >= made["result"]["chunks"]
    assert "mark1 both" in marked, "what two chunks share"
    unknown = client.ended(
        client.submit(task_type="document_processing", kb_id=kb_id, payload={"content": " ", "document_id": "new"})
    )
    assert unknown["task_id"][-12:] in page(client, f"/kbs/{kb_id}/documents/new").text


def test_documents_are_found_by_how_their_ids_begin(client: Client, kb_id: str) -> None:
    for name in ("rules/a", "rules/b", "other"):
        client.take_in(kb_id, f"The text of {name}.", name)
    found = page(client, f"/kbs/{kb_id}?prefix=rules/")
    assert "other" not in found.text
    assert "rules/b" in found.text
    (body,) = [attrs["data-body"] for _, attrs in found.tags if (attrs.get("data-path") or "").endswith("/delete")]
    assert json.loads(str(body)) == {"filter": {"prefix": "rules/"}}
    items = client.http.get(f"/api/v1/kbs/{kb_id}/documents", params={"prefix": "rules/"}).json()["items"]
    assert [each["document_id"] for each in items] == ["rules/a", "rules/b"]


def test_a_question_in_the_address_stands_in_the_search(idle_client: Client) -> None:
    found = page(idle_client, "/kbs/none-yet?query=tea")
    (box,) = [attrs for tag, attrs in found.tags if tag == "input" and attrs.get("name") == "query"]
    assert box["value"] == "tea"


def test_the_plots_are_one_answer(client: Client) -> None:
    found = client.http.get("/plots", params={"window": "24h"}).json()
    assert found.keys() == {metric for metric, _ in PLOTS}
    for each in found.values():
        assert all(len(series["values"]) == len(each["times"]) for series in each["series"])
