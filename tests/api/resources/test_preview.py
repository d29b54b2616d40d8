"""A preview shows exactly what a task would make of a document, and keeps nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import psutil
import pytest

from tests.api.conftest import Client, bad_fields, is_problem
from tests.documents import samples
from tests.reliability.test_bad_documents import scan

MARKDOWN = "# Leave\n\n" + "Everybody has fifteen days. 员工每年享有十五天年假。 " * 20 + "\n\n## Sick\n\nCall in.\n"
#: Bytes by which a process may grow for a preview: its libraries would be more.
MOST_GROWTH = 15 << 20


def preview(client: Client, **request: Any) -> dict[str, Any]:
    answer = client.http.post("/api/v1/chunk-preview", **request)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


def test_a_text_is_cut_as_its_task_cuts_it(client: Client, kb_id: str) -> None:
    fields = {"filename": "leave.md", "chunk_size": 300, "chunk_overlap": 60}
    shown = preview(client, json={"content": MARKDOWN, **fields})
    client.take_in(kb_id, MARKDOWN, "leave", **fields)
    kept = client.http.get(f"/api/v1/kbs/{kb_id}/documents/leave/chunks").json()["items"]
    assert len(shown["chunks"]) > 3
    assert shown["chunks"] == [{key: value for key, value in chunk.items() if key != "chunk_id"} for chunk in kept]
    assert (shown["format"], shown["encoding"], shown["characters"]) == ("markdown", "utf-8", len(MARKDOWN))
    for chunk in shown["chunks"]:
        assert chunk["text"] == shown["text"][chunk["start"] : chunk["end"]]
        assert len(chunk["text"]) <= 300
        assert chunk["heading_path"] == ["Leave"]


def test_an_upload_is_read_as_what_it_is(client: Client) -> None:
    pdf = samples.pdf([["The first page."], ["The second page."]])
    shown = preview(client, files={"file": ("report.html", pdf)}, data={"chunk_size": "50", "chunk_overlap": "0"})
    assert (shown["format"], shown["pages"]) == ("pdf", 2)
    assert "was read as pdf" in shown["warnings"][0]
    assert [chunk["page"] for chunk in shown["chunks"]] == [1]


def test_the_encoding_may_be_said_and_is_told(client: Client) -> None:
    data = "员工每年享有十五天年假。".encode("gb18030")
    assert preview(client, files={"file": ("a.txt", data)})["encoding"] == "gb18030"
    wrong = preview(client, files={"file": ("a.txt", data)}, data={"encoding": "big5"})
    assert wrong["text"] != "员工每年享有十五天年假。"
    assert wrong["encoding"] == "cp950"


def test_tokens_are_counted_where_they_are_asked_for(client: Client) -> None:
    content = "员工每年享有十五天年假。" * 40
    shown = preview(client, json={"content": content, "chunk_size": 60, "chunk_unit": "tokens"})
    assert [len(chunk["text"]) for chunk in shown["chunks"][:-1]] == [60] * (len(shown["chunks"]) - 1)


@pytest.mark.parametrize(
    ("code", "name", "data"),
    [
        ("empty", "a.txt", b" \n"),
        ("corrupt", "a.pdf", b"no PDF at all"),
        ("encrypted", "a.pdf", samples.pdf([["x"]], password="p")),
        ("needs_ocr", "a.pdf", scan()),
        ("unsupported_format", "a.gif", b"GIF89a" + bytes(100)),
        ("undecodable", "a.txt", b"\x81\x8d\x8f words " * 50),
        ("worker_crashed", "a.pdf", samples.swelling_pdf(900 << 20)),
    ],
)
def test_what_cannot_be_read_says_why_as_its_task_would(client: Client, code: str, name: str, data: bytes) -> None:
    problem = is_problem(client.http.post("/api/v1/chunk-preview", files={"file": (name, data)}), 422)
    assert problem["code"] == code
    assert problem["hint"]
    assert problem["hint_zh"]


def test_what_is_too_large_is_refused(client: Client) -> None:
    for request in ({"json": {"content": "x" * 10_485_761}}, {"files": {"file": ("a.txt", b"x" * 10_485_761)}}):
        problem = is_problem(client.http.post("/api/v1/chunk-preview", **request), 413)
        assert problem["code"] == "too_large"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"json": {}}, {"content"}),
        ({"json": {"content": "x", "chunk_size": 10, "chunk_unit": "words"}}, {"chunk_size", "chunk_unit"}),
        ({"json": {"content": "x", "chunk_size": 100, "chunk_overlap": 100}}, {"chunk_overlap"}),
        ({"json": {"content": "x", "url": "http://example.com"}}, {"url"}),
        ({"files": {"file": ("a.txt", b"x")}, "data": {"chunk_size": "many", "kb_id": "a"}}, {"chunk_size", "kb_id"}),
        ({"files": {"document": ("a.txt", b"x")}}, {"file"}),
    ],
)
def test_every_field_that_does_not_fit_is_named(client: Client, body: dict[str, Any], fields: set[str]) -> None:
    assert bad_fields(client.http.post("/api/v1/chunk-preview", **body)) == fields


def test_nothing_is_kept_and_web_reads_nothing_itself(client: Client) -> None:
    before = client.sql(
        "SELECT (SELECT count(*) FROM tasks), (SELECT count(*) FROM blobs), (SELECT count(*) FROM versions)"
    )
    preview(client, json={"content": "The reading child is there."})
    web = [process for process in psutil.process_iter(["cmdline"]) if "web:app" in (process.info["cmdline"] or [])]
    ours = [process for process in web if str(client.deployment.port) in " ".join(map(str, process.environ().items()))]
    resident = [process.memory_info().rss for process in ours]
    preview(client, files={"file": ("a.pdf", samples.pdf([["Words on a page."]] * 30))})
    assert before == client.sql(
        "SELECT (SELECT count(*) FROM tasks), (SELECT count(*) FROM blobs), (SELECT count(*) FROM versions)"
    )
    readers = [
        child for process in ours for child in process.children() if "documents.sandbox.child" in child.cmdline()
    ]
    assert readers
    for process, before_it in zip(ours, resident, strict=True):
        assert process.memory_info().rss - before_it < MOST_GROWTH
    assert not any("pdfium" in mapped.path for process in ours for mapped in process.memory_maps())


def test_previews_wait_for_each_other_or_are_told_to_come_again(client: Client) -> None:
    slow = {"content": "Some words, and no end of them. " * 20_000}

    def ask(_: int) -> httpx2.Response:
        return client.http.post("/api/v1/chunk-preview", json=slow, timeout=60)

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(ask, range(16)))
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert sum(answer.status_code == 200 for answer in answers) >= 8
    for answer in answers:
        if answer.status_code == 503:
            is_problem(answer, 503)
            assert answer.headers["Retry-After"] == "5"
