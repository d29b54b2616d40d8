"""Documents over HTTP: upload, list, show, read, delete."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import httpx2
import psutil
import pytest

from api.resources.many.documents import DocumentsQuery, Sort, listed
from documents.storing import catalogue
from models import database
from tests.api.conftest import MAX_DOCUMENT_BYTES, Client, bad_fields, is_problem
from tests.servers import eventually

MIB = 1024 * 1024
TEXT = "\n\n".join(
    f"# 第 {part} 部分\n\n"
    + " ".join(f"Sentence {number} of part {part}; 绿茶要用八十度的水冲泡 🍵." for number in range(40))
    for part in range(1, 5)
)


def documents(kb_id: str, document_id: str = "", rest: str = "") -> str:
    """The address of a KB's documents, or of one."""
    return f"/api/v1/kbs/{kb_id}/documents" + (f"/{quote(document_id, safe='')}{rest}" if document_id else "")


def form(kb_id: str, *parts: bytes, end: bytes = b"--b--\r\n") -> dict[str, Any]:
    """A form of these parts, as they stand."""
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + end
    return {
        "url": documents(kb_id),
        "content": body,
        "headers": {"content-type": "multipart/form-data; boundary=b"},
    }


def part(disposition: bytes, data: bytes = b"text", more: bytes = b"") -> bytes:
    """A part of a form."""
    return b"content-disposition: form-data; " + disposition + b"\r\n" + more + b"\r\n" + data


def blobs(client: Client) -> int:
    """Pages of uploads that are stored."""
    ((count,),) = client.sql("SELECT count(*) FROM blobs")
    return int(count)


def test_an_upload_becomes_searchable(client: Client, kb_id: str) -> None:
    answer = client.upload(
        kb_id, TEXT.encode("gb18030", "ignore"), "茶.md", chunk_size="300", metadata='{"row": 7}', priority="high"
    )
    assert answer.status_code == 202
    accepted = answer.json()
    assert answer.headers["location"] == f"/api/v1/tasks/{accepted['task_id']}"
    assert (accepted["status"], accepted["task_type"], accepted["kb_id"]) == ("queued", "document_processing", kb_id)
    task = client.ended(accepted["task_id"])
    assert (task["status"], task["metadata"], task["priority"]) == ("completed", {"row": 7}, "high")
    shown = client.http.get(documents(kb_id, "茶.md")).json()
    assert (shown["document_id"], shown["filename"], shown["version"]) == ("茶.md", "茶.md", 1)
    assert (shown["encoding"], shown["bytes"]) == ("gb18030", len(TEXT.encode("gb18030", "ignore")))
    assert shown["chunks"] == task["result"]["chunks"] > 4
    assert shown["warnings"] == task["result"]["warnings"]


def test_every_field_of_a_form_that_does_not_fit_is_listed_at_once(client: Client, kb_id: str) -> None:
    before = blobs(client)
    answer = client.upload(
        kb_id,
        b"text",
        "a.txt",
        chunk_size="large",
        embedder="x",
        colour="red",
        priority="highest",
        retry_limit="99",
        metadata="{",
        document_id="x" * 513,
    )
    assert bad_fields(answer) == {
        "payload.chunk_size",
        "payload.embedder",
        "payload.colour",
        "payload.document_id",
        "priority",
        "retry_limit",
        "metadata",
    }
    assert blobs(client) == before, "what was stored of it is gone again"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"metadata": "[]"}, "metadata"),
        ({"metadata": "[" * 30_000}, "metadata"),
        ({"metadata": '{"a": "\\ud800"}'}, "metadata"),
        ({"metadata": '{"a": "\\u0000"}'}, "metadata"),
        ({"metadata": "x" * 70_000}, "metadata"),
        ({"url": "https://example.com"}, "payload"),
        ({"upload_id": "x"}, "upload_id"),
        ({"document_id": "a\0"}, "payload"),
    ],
    ids=["list", "deep", "surrogate", "nul", "long", "second source", "upload id", "nul id"],
)
def test_a_field_that_does_not_fit_is_named(client: Client, kb_id: str, fields: dict[str, str], field: str) -> None:
    assert bad_fields(client.upload(kb_id, b"text", "a.txt", **fields)) == {field}


def test_a_form_without_a_file_or_with_two_is_refused(client: Client, kb_id: str) -> None:
    file = part(b'name="file"; filename="a.txt"')
    assert bad_fields(client.http.post(**form(kb_id, part(b'name="colour"')))) == {"file"}
    assert bad_fields(client.http.post(**form(kb_id, file, file))) == {"file"}
    assert bad_fields(client.http.post(**form(kb_id, part(b'name="encoding"', b"\xff"), file))) == {"encoding"}
    is_problem(client.http.post(documents(kb_id), json={"content": "text"}), 415)


@pytest.mark.parametrize(
    "request_body",
    [
        form("kb", part(b'name="file"; filename="a.txt"'), end=b""),
        form("kb", part(b'name="file"; filename="\xff.txt"')),
        form("kb", part(b'name="\xff"')),
        form("kb", part(b'name="file"; filename="a"', more=b"content-type: \xff\r\n")),
        form("kb", *[part(b'name="colour"')] * 100),
        form("kb", end=b"no form at all"),
        form("kb", end=b""),
        form("kb") | {"headers": {"content-type": "multipart/form-data"}},
    ],
    ids=["cut off", "file name", "field name", "type", "many parts", "no form", "empty", "no boundary"],
)
def test_a_form_that_is_none_is_a_bad_request(client: Client, request_body: dict[str, Any]) -> None:
    is_problem(client.http.post(**request_body), 400)


def test_an_upload_that_is_too_large_leaves_nothing_behind(client: Client, kb_id: str) -> None:
    before = blobs(client)
    problem = is_problem(client.upload(kb_id, b"x" * (MAX_DOCUMENT_BYTES + 1), "large.txt"), 413)
    assert problem["code"] == "too_large"
    assert f"{MAX_DOCUMENT_BYTES:,}" in problem["detail"]
    assert blobs(client) == before
    assert client.upload(kb_id, b"x" * MAX_DOCUMENT_BYTES, "fits.txt").status_code == 202


def test_an_upload_that_breaks_off_leaves_nothing_behind(idle_client: Client, kb_id: str) -> None:
    before = blobs(idle_client)
    with socket.create_connection(("127.0.0.1", idle_client.deployment.port)) as connection:
        body = b"--b\r\n" + part(b'name="file"; filename="a.txt"', b"x" * 3 * MIB)
        connection.sendall(
            f"POST {documents(kb_id)} HTTP/1.1\r\nhost: x\r\ncontent-length: {90 * MIB}\r\n"
            "content-type: multipart/form-data; boundary=b\r\n\r\n".encode()
        )
        connection.sendall(body)
        eventually(lambda: blobs(idle_client) > before, reason="a part of it is stored")
    eventually(lambda: blobs(idle_client) == before, reason="it is gone again")


def large_form(size: int) -> Iterator[bytes]:
    """A form with a file of so many bytes, made as it is sent."""
    yield b"--b\r\n" + part(b'name="file"; filename="large.txt"', b"")
    for _ in range(size // MIB):
        yield b"x" * MIB
    yield b"\r\n--b--\r\n"


def test_a_large_upload_is_never_whole_in_memory(idle_client: Client, kb_id: str) -> None:
    web = idle_client.deployment.processes[0]
    headers = {"content-type": "multipart/form-data; boundary=b"}

    def upload(size: int) -> httpx2.Response:
        return idle_client.http.post(documents(kb_id), content=large_form(size), headers=headers)

    # The threads that write pages take their share of memory once, whatever comes after.
    assert upload(20 * MIB).status_code == 202
    pids = [member.pid for member in web.members]
    before = {pid: psutil.Process(pid).memory_info().rss for pid in pids}
    for pid in pids:
        # From here on the kernel keeps the most that is resident (proc(5): clear_refs, VmHWM).
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    assert upload(60 * MIB).status_code == 202
    for pid in pids:
        peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        assert peak is not None
        assert int(peak[1]) * 1024 - before[pid] < 32 * MIB, f"of 60 MiB, {peak[0]}, before {before[pid]:,}"


def test_chunks_are_pieces_of_the_text(client: Client, kb_id: str) -> None:
    task = client.take_in(kb_id, TEXT, "d", chunk_size=400, chunk_overlap=50, content_type="text/markdown")
    answer = client.http.get(documents(kb_id, "d", "/text"))
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    text = answer.content.decode()
    assert len(text) == task["result"]["characters"]
    chunks: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        page = client.http.get(documents(kb_id, "d", "/chunks"), params=query).json()
        assert len(page["items"]) <= 3
        chunks += page["items"]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert [chunk["index"] for chunk in chunks] == list(range(task["result"]["chunks"]))
    assert len({chunk["chunk_id"] for chunk in chunks}) == len(chunks) > 6
    for chunk in chunks:
        assert set(chunk) == {"chunk_id", "index", "text", "start", "end", "page", "heading_path", "context"}
        assert text[chunk["start"] : chunk["end"]] == chunk["text"]
    assert {tuple(chunk["heading_path"]) for chunk in chunks} == {(f"第 {part} 部分",) for part in range(1, 5)}


def test_pages_of_documents_lose_and_double_nothing_while_some_arrive(client: Client, kb_id: str) -> None:
    names = ["a", "b/1", "b/2", "茶", "酒"]
    for name in names:
        client.take_in(kb_id, f"About {name}.", name)
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = client.http.get(documents(kb_id), params=query).json()
        seen += [item["document_id"] for item in page["items"]]
        if len(seen) == 2:
            client.take_in(kb_id, "New.", "A before all")
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert sorted(seen) == sorted(names)


@pytest.mark.parametrize(
    "document_id",
    ["https://example.com/a/b?c=d&e=f#g", "/srv/uploads/报告 1.pdf", "100 % + 5/6", "a%2Fb", "茶" * 500],
)
def test_a_document_is_found_whatever_it_is_called(client: Client, kb_id: str, document_id: str) -> None:
    client.take_in(kb_id, "Green tea.", document_id)
    assert client.http.get(documents(kb_id, document_id)).json()["document_id"] == document_id
    assert client.http.get(documents(kb_id, document_id, "/text")).text.strip() == "Green tea."
    assert len(client.http.get(documents(kb_id, document_id, "/chunks")).json()["items"]) == 1
    assert client.http.delete(documents(kb_id, document_id)).status_code == 204


def test_a_document_that_is_submitted_again_is_its_next_version(client: Client, kb_id: str) -> None:
    first = client.take_in(kb_id, "Green tea.", "d")
    second = client.take_in(kb_id, "Black tea.", "d")
    shown = client.http.get(documents(kb_id, "d")).json()
    assert (shown["version"], shown["task_id"]) == (2, second["task_id"])
    assert shown["task_id"] != first["task_id"]
    assert client.http.get(documents(kb_id, "d", "/text")).text.strip() == "Black tea."
    assert len(client.http.get(documents(kb_id)).json()["items"]) == 1


def test_a_deleted_document_is_gone_at_once(client: Client, kb_id: str) -> None:
    client.take_in(kb_id, "Green tea.", "d")
    client.take_in(kb_id, "Green tea as well.", "other")
    answer = client.http.delete(documents(kb_id, "d"))
    assert (answer.status_code, answer.content) == (204, b"")
    for rest in ("", "/chunks", "/text"):
        is_problem(client.http.get(documents(kb_id, "d", rest)), 404)
    is_problem(client.http.delete(documents(kb_id, "d")), 404)
    hits = client.http.post(f"/api/v1/kbs/{kb_id}/search", json={"query": "green tea"}).json()["hits"]
    assert {hit["document_id"] for hit in hits} == {"other"}


def test_the_documents_of_one_kb_are_not_those_of_another(client: Client, kb_id: str) -> None:
    client.take_in(kb_id, "Green tea.", "d")
    is_problem(client.http.get(documents(kb_id + "x", "d")), 404)
    is_problem(client.http.delete(documents(kb_id + "x", "d")), 404)
    assert client.http.get(documents(kb_id + "x")).json() == {"items": [], "next_cursor": None}


@pytest.mark.parametrize("rest", ["", "/chunks"])
def test_bad_parameters_of_a_page_are_named(client: Client, kb_id: str, rest: str) -> None:
    client.take_in(kb_id, "Green tea.", "d")
    address = documents(kb_id, "d", rest) if rest else documents(kb_id)
    assert bad_fields(client.http.get(address, params={"limit": 501, "colour": "red"})) == {"limit", "colour"}
    for cursor in ("", "!!", "AA", "é"):
        assert bad_fields(client.http.get(address, params={"cursor": cursor})) == {"cursor"}, cursor


def test_a_document_without_text_is_never_a_success(client: Client, kb_id: str) -> None:
    task = client.ended(client.upload(kb_id, b"", "empty.txt").json()["task_id"])
    assert (task["status"], task["error"]["code"], task["error"]["retryable"]) == ("failed", "empty", False)
    assert task["error"]["stage"] == "preprocessing"
    assert task["error"]["hint"]
    is_problem(client.http.get(documents(kb_id, "empty.txt")), 404)


def test_what_a_form_says_of_the_task_is_what_json_would(client: Client, kb_id: str) -> None:
    fields = {"document_id": "d", "chunk_size": "80", "chunk_overlap": "10", "timeout": "60", "retry_limit": "1"}
    task_id = client.upload(kb_id, b"text", "a.txt", metadata=json.dumps({"a": 1}), **fields).json()["task_id"]
    shown = client.http.get(f"/api/v1/tasks/{task_id}").json()
    assert (shown["timeout"], shown["retry_limit"], shown["metadata"]) == (60, 1, {"a": 1})
    assert (shown["payload"]["document_id"], shown["payload"]["filename"]) == ("d", "a.txt")
    assert (shown["payload"]["chunk_size"], shown["payload"]["chunk_overlap"]) == (80, 10)


def test_a_chunk_is_shown_with_those_around_it(client: Client, kb_id: str) -> None:
    task = client.take_in(kb_id, TEXT, "d", chunk_size=400)
    last = task["result"]["chunks"] - 1
    listed = client.http.get(documents(kb_id, "d", "/chunks")).json()["items"]
    for index, first, end in ((2, 0, 5), (0, 0, 3), (last, last - 2, last + 1)):
        shown = client.http.get(documents(kb_id, "d", f"/chunks/{index}"), params={"around": 2}).json()
        assert shown == {
            "chunk": listed[index],
            "before": listed[first:index],
            "after": listed[index + 1 : end],
        }
    alone = client.http.get(documents(kb_id, "d", "/chunks/1")).json()
    assert alone == {"chunk": listed[1], "before": [], "after": []}
    for index in (str(last + 1), "-1", "x", "9" * 30):
        is_problem(client.http.get(documents(kb_id, "d", f"/chunks/{index}")), 404)
    is_problem(client.http.get(documents(kb_id, "none", "/chunks/0")), 404)


def test_metadata_is_changed_without_taking_the_document_in_again(client: Client, kb_id: str) -> None:
    def find(language: str) -> list[str]:
        body = {"query": "green tea", "filter": {"metadata": {"lang": language}}}
        hits = client.http.post(f"/api/v1/kbs/{kb_id}/search", json=body).json()["hits"]
        return [hit["document_id"] for hit in hits]

    client.take_in(kb_id, "Green tea.", "d")
    before = client.http.get(documents(kb_id, "d")).json()
    after = client.http.patch(documents(kb_id, "d"), json={"metadata": {"lang": "zh"}}).json()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"metadata", "updated_at"}
    assert after == client.http.get(documents(kb_id, "d")).json()
    assert (find("zh"), find("en")) == (["d"], [])
    assert bad_fields(client.http.patch(documents(kb_id, "d"), json={"metadata": {"a": "x" * 70_000}})) == {"metadata"}
    assert bad_fields(client.http.patch(documents(kb_id, "d"), json={"colour": "red"})) == {"metadata", "colour"}
    is_problem(client.http.patch(documents(kb_id, "none"), json={"metadata": {}}), 404)


def ids(client: Client, kb_id: str, **query: Any) -> list[str]:
    """Every document of a list, by pages of two."""
    names: list[str] = []
    query = {"limit": 2, **query}
    while True:
        page = client.http.get(documents(kb_id), params=query).json()
        assert len(page["items"]) <= query["limit"]
        names += [document["document_id"] for document in page["items"]]
        if page["next_cursor"] is None:
            return names
        query["cursor"] = page["next_cursor"]


def test_documents_are_filtered_and_sorted(client: Client, kb_id: str) -> None:
    for name, size, metadata in (
        ("tea/b", 300, {"lang": "de", "year": 2024}),
        ("tea/a", 200, {"lang": ["de", "en"], "year": "2024"}),
        ("coffee", 100, {"lang": "en"}),
        ("%ea", 400, {}),
    ):
        payload = {"content": "Green tea. " * size, "document_id": name}
        task_id = client.submit(task_type="document_processing", kb_id=kb_id, payload=payload, metadata=metadata)
        assert client.ended(task_id)["status"] == "completed"
    client.upload(kb_id, b"# Tea\n\nBlack.", "black.md")
    eventually(lambda: len(ids(client, kb_id)) == 5, seconds=30)
    assert ids(client, kb_id, prefix="tea/") == ["tea/a", "tea/b"]
    assert ids(client, kb_id, prefix="%") == ["%ea"]
    assert ids(client, kb_id, metadata="lang=de") == ["tea/a", "tea/b"]
    assert ids(client, kb_id, metadata=["lang=de", "lang=en"]) == ["coffee", "tea/a", "tea/b"], "one of both"
    assert ids(client, kb_id, metadata="year=2024") == ["tea/a", "tea/b"], "as a number, and as a text"
    assert ids(client, kb_id, metadata=["lang=en", "year=2024"]) == ["tea/a"]
    assert ids(client, kb_id, format="markdown") == ["black.md"]
    by_time = ["tea/b", "tea/a", "coffee", "%ea", "black.md"]
    assert ids(client, kb_id, sort="updated_at") == by_time
    assert ids(client, kb_id, sort="-updated_at") == by_time[::-1]
    by_size = ["black.md", "coffee", "tea/a", "tea/b", "%ea"]
    assert ids(client, kb_id, sort="size") == by_size
    assert ids(client, kb_id, sort="-size") == by_size[::-1]
    assert sorted(ids(client, kb_id, sort="-document_id"), reverse=True) == ids(client, kb_id, sort="-document_id")
    since = client.http.get(documents(kb_id, "tea/a")).json()["updated_at"]
    assert ids(client, kb_id, updated_after=since, sort="updated_at") == by_time[2:]
    assert sorted(ids(client, kb_id, updated_after=since)) == sorted(by_time[2:])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"metadata": "lang"}, "metadata"),
        ({"metadata": "=de"}, "metadata"),
        ({"sort": "title"}, "sort"),
        ({"state": "done"}, "state"),
        ({"updated_after": "yesterday"}, "updated_after"),
        ({"sort": "size", "cursor": "dGVh"}, "cursor"),
        ({"sort": "size", "cursor": "WyJzaXplIl0"}, "cursor"),
    ],
)
def test_a_bad_filter_of_documents_is_named(client: Client, kb_id: str, query: dict[str, str], field: str) -> None:
    assert bad_fields(client.http.get(documents(kb_id), params=query)) == {field}


def test_a_document_shows_what_is_newer_beside_what_is_searchable(client: Client, kb_id: str) -> None:
    for name in ("a", "b"):
        client.take_in(kb_id, "Green tea.", name)
    shown = client.http.get(documents(kb_id, "a")).json()
    assert (shown["state"], shown["pending"], shown["failed"]) == ("current", None, None)
    failed = client.ended(client.upload(kb_id, b"", "a").json()["task_id"])
    shown = client.http.get(documents(kb_id, "a")).json()
    assert (shown["version"], shown["state"], shown["pending"]) == (1, "failed", None)
    assert shown["failed"] == {"task_id": failed["task_id"], "error": failed["error"], "at": failed["finished_at"]}
    payload = {"content": "Black tea.", "document_id": "a"}
    later = {"run_at": "2030-01-01T00:00:00Z"}
    waiting = client.submit(task_type="document_processing", kb_id=kb_id, payload=payload, **later)
    shown = client.http.get(documents(kb_id, "a")).json()
    assert (shown["version"], shown["state"]) == (1, "pending")
    assert (shown["pending"]["task_id"], shown["pending"]["status"]) == (waiting, "waiting")
    assert shown["failed"]["task_id"] == failed["task_id"]
    states = {
        document["document_id"]: document["state"] for document in client.http.get(documents(kb_id)).json()["items"]
    }
    assert states == {"a": "pending", "b": "current"}
    assert ids(client, kb_id, state="pending") == ["a"]
    assert ids(client, kb_id, state="failed") == []
    assert ids(client, kb_id, state="current") == ["b"]
    assert client.http.delete(f"/api/v1/tasks/{waiting}").status_code == 200
    client.take_in(kb_id, "White tea.", "a")
    assert ids(client, kb_id, state="current") == ["a", "b"]


def test_a_rare_document_is_found_by_pages_that_may_be_empty(
    client: Client, kb_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(7):
        payload = {"content": f"Tea {number}.", "document_id": str(number)}
        metadata = {"rare": number == 5}
        task_id = client.submit(task_type="document_processing", kb_id=kb_id, payload=payload, metadata=metadata)
        client.ended(task_id)
    monkeypatch.setattr(catalogue, "MOST_LOOKED_AT", 2)
    database.connect(client.deployment.database_url, pool_size=1, application_name="test")
    try:
        sorts: tuple[Sort, ...] = ("document_id", "-document_id", "size", "-updated_at")
        for sort in sorts:
            pages: list[list[str]] = []
            cursor = None
            while True:
                asked = DocumentsQuery(metadata=["rare=true"], sort=sort, limit=3, cursor=cursor)
                with database.transaction() as session:
                    page = listed(session, kb_id, asked)
                pages.append([document["document_id"] for document in page["items"]])
                cursor = page["next_cursor"]
                if cursor is None:
                    break
            assert [name for page in pages for name in page] == ["5"], sort
            assert len(pages) == 4, sort
    finally:
        database.disconnect()


def test_the_original_is_what_came(client: Client, kb_id: str) -> None:
    filename = 'Grüner "Tee"\\茶.md'
    data = TEXT.encode("gb18030", "ignore")
    client.ended(client.upload(kb_id, data, filename, document_id="a", content_type="text/markdown").json()["task_id"])
    answer = client.http.get(documents(kb_id, "a", "/original"))
    assert answer.content == data
    assert answer.headers["content-type"] == "text/markdown"
    assert answer.headers["content-length"] == str(len(data))
    assert answer.headers["x-content-type-options"] == "nosniff"
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith("attachment; ")
    assert unquote(disposition.rpartition("''")[2]) == client.http.get(documents(kb_id, "a")).json()["filename"]
    client.take_in(kb_id, "Black tea.", "a")
    answer = client.http.get(documents(kb_id, "a", "/original"))
    assert (answer.content, answer.headers["content-type"]) == (b"Black tea.", "application/octet-stream")
    head = client.http.head(documents(kb_id, "a", "/original"))
    assert (head.status_code, head.headers["content-length"], head.content) == (200, "10", b"")
    assert client.http.delete(documents(kb_id, "a")).status_code == 204
    is_problem(client.http.get(documents(kb_id, "a", "/original")), 404)


def test_an_upload_of_the_same_bytes_is_processed_anew_where_it_says_force(client: Client, kb_id: str) -> None:
    def unchanged(**fields: str) -> bool:
        task = client.ended(client.upload(kb_id, b"Green tea.", "a.txt", **fields).json()["task_id"])
        return bool(task["result"].get("unchanged"))

    assert [unchanged(), unchanged(), unchanged(force="true"), unchanged(force="false")] == [False, True, False, True]


def test_a_large_original_comes_page_by_page(client: Client, kb_id: str) -> None:
    data = b"<p>Green tea.</p><!--" + bytes(range(48, 58)) * 130_000 + b"-->"
    client.ended(client.upload(kb_id, data, "a.html").json()["task_id"])
    assert client.http.get(documents(kb_id, "a.html", "/original")).content == data


@pytest.mark.parametrize("kind", ["text/html\r\nx-bad: 1", "nonsense", "text/html; boundary=x"])
def test_a_type_that_cannot_be_told_again_is_none(client: Client, kb_id: str, kind: str) -> None:
    client.take_in(kb_id, "Green tea.", "a", content_type=kind, filename="a.txt")
    answer = client.http.get(documents(kb_id, "a", "/original"))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "x-bad" not in answer.headers


def test_an_original_that_was_not_kept_says_why(client: Client, kb_id: str) -> None:
    client.take_in(kb_id, "Green tea.", "a")
    client.execute(f"UPDATE versions SET original = NULL WHERE kb_id = '{kb_id}'")
    assert "KEEP_ORIGINALS" in is_problem(client.http.get(documents(kb_id, "a", "/original")), 404)["detail"]
