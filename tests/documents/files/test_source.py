"""Where a document's bytes come from, and which of them may not."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from documents.files import source
from documents.files.source import Source
from documents.sandbox.pool import Cancelled
from errors import TaskError
from models.base import new_id
from settings import VERSION, read
from tests.test_outbound import Site, answer

LARGEST = 64 * 1024


class Yard:
    """A folder that may be read, and beside it one that may not."""

    def __init__(self, folder: Path) -> None:
        self.open, self.closed, self.work = folder / "open", folder / "closed", folder / "work"
        for place in (self.open, self.closed, self.work):
            place.mkdir()
        self.allowed = ""
        (self.open / "tea.md").write_text("Green tea")
        (self.closed / "secret.txt").write_text("secret")

    def fetch(self, payload: dict[str, Any], **more: Any) -> Source:
        settings = read(
            {
                "UPLOAD_ROOTS": str(self.open),
                "MAX_DOCUMENT_BYTES": str(LARGEST),
                "SOURCE_ALLOWED_HOSTS": self.allowed,
                "STORAGE_URL": str(self.work / "uploads"),
                **more.pop("environment", {}),
            }
        )
        options = {"cancelled": lambda: False, "timeout": 20.0, **more}
        return source.fetch(payload, settings, self.work, **options)

    def refusal(self, payload: dict[str, Any], **more: Any) -> TaskError:
        with pytest.raises(TaskError) as refused:
            self.fetch(payload, **more)
        assert not (self.work / "document").exists() or b"secret" not in (self.work / "document").read_bytes()
        return refused.value


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path)


def test_content_is_its_own_source(yard: Yard) -> None:
    file = yard.fetch({"content": "绿茶"})
    assert file.path.read_text() == "绿茶"
    assert (file.filename, file.size) == ("content.txt", 6)
    assert file.sha256 == hashlib.sha256("绿茶".encode()).digest()


def test_a_file_below_a_root_is_read(yard: Yard) -> None:
    (yard.open / "deep" / "er").mkdir(parents=True)
    (yard.open / "deep" / "er" / "绿 茶.md").write_text("deep")
    assert yard.fetch({"file_path": f"{yard.open}/deep/er/绿 茶.md"}).filename == "绿 茶.md"
    file = yard.fetch({"file_path": f"{yard.open}/deep/../tea.md", "filename": "a.txt", "content_type": "text/plain"})
    assert (file.path.read_text(), file.filename, file.content_type) == ("Green tea", "a.txt", "text/plain")


def test_a_root_may_be_a_link_itself(yard: Yard) -> None:
    (yard.work / "link").symlink_to(yard.open)
    environment = {"UPLOAD_ROOTS": f"/nowhere,{yard.work}/link"}
    for root in (yard.work / "link", yard.open):
        assert yard.fetch({"file_path": f"{root}/tea.md"}, environment=environment).size == 9


OUTSIDE = [
    "{closed}/secret.txt", "{open}/../closed/secret.txt", "{open}/.//../closed/secret.txt",
    "{open}/deep/../../closed/secret.txt", "{open}-other/secret.txt", "{open}/..", "/etc/passwd", "/proc/self/environ",
    "/dev/stdin", "tea.md", "../closed/secret.txt", "~/secret.txt", "file://{closed}/secret.txt", "{open}/tea.md\0.txt",
]  # fmt: skip


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_path_that_leads_outside_is_forbidden(yard: Yard, path: str) -> None:
    (yard.open.parent / "open-other").mkdir()
    (yard.open.parent / "open-other" / "secret.txt").write_text("secret")
    file_path = path.format(open=yard.open, closed=yard.closed)
    assert yard.refusal({"file_path": file_path}).code == "forbidden_path"


def test_a_link_that_leads_outside_is_forbidden(yard: Yard) -> None:
    (yard.open / "file").symlink_to(yard.closed / "secret.txt")
    (yard.open / "relative").symlink_to("../closed/secret.txt")
    (yard.open / "folder").symlink_to(yard.closed)
    (yard.open / "chain").symlink_to("file")
    (yard.closed / "below").mkdir()
    (yard.open / "climb").symlink_to(yard.closed / "below")
    for path in ("file", "relative", "folder/secret.txt", "chain", "climb/../secret.txt"):
        assert yard.refusal({"file_path": f"{yard.open}/{path}"}).code == "forbidden_path", path


def test_a_link_within_the_root_is_followed(yard: Yard) -> None:
    (yard.open / "link").symlink_to("tea.md")
    assert yard.fetch({"file_path": f"{yard.open}/link"}).path.read_text() == "Green tea"


def test_what_is_not_there_is_not_found(yard: Yard) -> None:
    (yard.open / "dangling").symlink_to("nothing")
    (yard.open / "circle").symlink_to("circle")
    for path in ("nothing", "nothing/at/all", "tea.md/below", "dangling", "circle", "x" * 300):
        refused = yard.refusal({"file_path": f"{yard.open}/{path}"})
        assert (refused.code, refused.retryable) == ("not_found", False), path


def test_what_is_no_file_is_forbidden(yard: Yard) -> None:
    os.mkfifo(yard.open / "pipe")
    for path in ("pipe", ".", ""):
        assert yard.refusal({"file_path": f"{yard.open}/{path}"}).code == "forbidden_path", path


def test_without_roots_no_path_is_read(yard: Yard) -> None:
    environment = {"ENVIRONMENT": "production", "AUTH": "none", "UPLOAD_ROOTS": ""}
    refused = yard.refusal({"file_path": f"{yard.open}/tea.md"}, environment=environment)
    assert refused.code == "forbidden_path"


def test_a_source_that_is_too_large_is_refused(yard: Yard) -> None:
    (yard.open / "large").write_bytes(b"x" * (LARGEST + 1))
    (yard.open / "fits").write_bytes(b"x" * LARGEST)
    for payload in ({"file_path": f"{yard.open}/large"}, {"content": "x" * (LARGEST + 1)}):
        assert yard.refusal(payload).code == "too_large"
    assert yard.fetch({"file_path": f"{yard.open}/fits"}).size == LARGEST


@pytest.fixture
def site(yard: Yard) -> Iterator[Site]:
    """A site that a download may reach although it is of this machine."""
    site = Site()
    yard.allowed = site.host
    yield site
    site.close()


@pytest.fixture
def other() -> Iterator[Site]:
    """One more, at another address."""
    site = Site("127.0.0.2")
    yield site
    site.close()


def test_a_private_host_is_reached_where_it_is_allowed(yard: Yard, site: Site) -> None:
    site.pages["/a"] = answer(200, b"Green tea")
    for allowed in ("127.0.0.1", f"wiki.internal,{site.host}", "127.0.0.0/8"):
        assert yard.fetch({"url": site.url("/a")}, environment={"SOURCE_ALLOWED_HOSTS": allowed}).size == 9
    for allowed in ("", "127.0.0.1:1", "10.0.0.0/8", "wiki.internal"):
        refused = yard.refusal({"url": site.url("/a")}, environment={"SOURCE_ALLOWED_HOSTS": allowed})
        assert (refused.code, refused.retryable) == ("forbidden_url", False), allowed
    assert len(site.requests) == 3


def test_a_redirect_is_held_to_the_same_hosts(yard: Yard, site: Site, other: Site) -> None:
    site.pages["/a"] = answer(302, location=other.url("/b"))
    other.pages["/b"] = answer(200, b"Green tea")
    payload = {"url": site.url("/a")}
    assert yard.refusal(payload, environment={"SOURCE_ALLOWED_HOSTS": site.host}).code == "forbidden_url"
    assert other.requests == []
    assert yard.fetch(payload, environment={"SOURCE_ALLOWED_HOSTS": f"{site.host},{other.host}"}).size == 9


def test_a_url_is_fetched_with_what_the_server_says(yard: Yard, site: Site) -> None:
    site.pages["/%E7%BB%BF%E8%8C%B6.md"] = answer(200, b"Green tea", content_type="text/markdown")
    file = yard.fetch({"url": site.url("/%E7%BB%BF%E8%8C%B6.md")})
    assert (file.filename, file.content_type, file.size) == ("绿茶.md", "text/markdown", 9)
    site.pages["/a%00b%0A.txt"] = answer(200, b"Green tea")
    assert yard.fetch({"url": site.url("/a%00b%0A.txt")}).filename == "ab .txt", "which PostgreSQL can hold"
    own = yard.fetch({"url": site.url("/%E7%BB%BF%E8%8C%B6.md"), "filename": "a.txt", "content_type": "text/plain"})
    assert (own.filename, own.content_type) == ("a.txt", "text/plain")


HEADERS = {"Authorization": "Bearer s3cr3t", "User-Agent": "kb"}


def test_a_url_is_fetched_with_its_headers(yard: Yard, site: Site) -> None:
    site.pages["/a"] = answer(302, location="/b")
    site.pages["/b"] = answer(200, b"Green tea")
    assert yard.fetch({"url": site.url("/a")}, headers=HEADERS).size == 9
    for _, said in site.requests:
        assert (said["authorization"], said["user-agent"], said["host"]) == ("Bearer s3cr3t", "kb", site.host)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_headers_go_to_no_other_server_nor_back_from_one(yard: Yard, site: Site, other: Site, status: int) -> None:
    site.pages["/a"] = answer(status, location=other.url("/b"))
    other.pages["/b"] = answer(status, location=site.url("/c"))
    site.pages["/c"] = answer(200, b"Green tea")
    environment = {"SOURCE_ALLOWED_HOSTS": f"{site.host},{other.host}"}
    assert yard.fetch({"url": site.url("/a")}, headers=HEADERS, environment=environment).size == 9
    (_, first), (_, last) = site.requests
    assert first["authorization"] == "Bearer s3cr3t"
    for _, said in [*other.requests, ("/c", last)]:
        assert "authorization" not in said
        assert said["user-agent"] == f"task-manager/{VERSION}"


def test_another_port_of_a_host_is_another_server(yard: Yard, site: Site) -> None:
    beside = Site()
    site.pages["/a"] = answer(302, location=beside.url("/b"))
    beside.pages["/b"] = answer(200, b"Green tea")
    environment = {"SOURCE_ALLOWED_HOSTS": "127.0.0.1"}
    assert yard.fetch({"url": site.url("/a")}, headers=HEADERS, environment=environment).size == 9
    beside.close()
    assert "authorization" not in beside.requests[0][1]


def test_no_error_tells_of_headers(yard: Yard, site: Site) -> None:
    site.pages["/a"] = answer(401, b"Bearer s3cr3t is not known here")
    refused = yard.refusal({"url": site.url("/a")}, headers=HEADERS)
    assert (refused.code, "401" in refused.message, "s3cr3t" in refused.message) == ("fetch_failed", True, False)


@pytest.mark.parametrize(
    ("status", "code", "retryable"),
    [
        (404, "not_found", False),
        (410, "not_found", False),
        (401, "fetch_failed", False),
        (403, "fetch_failed", False),
        (408, "fetch_failed", True),
        (429, "rate_limited", True),
        (500, "fetch_failed", True),
        (503, "fetch_failed", True),
        (304, "fetch_failed", False),
    ],
)
def test_what_the_server_answers_decides_whether_to_try_again(
    yard: Yard, site: Site, status: int, code: str, retryable: bool
) -> None:
    site.pages["/a"] = answer(status, retry_after="120") if status != 304 else answer(304)
    refused = yard.refusal({"url": site.url("/a")})
    assert (refused.code, refused.retryable) == (code, retryable)
    assert refused.retry_after == (120 if status in (408, 429, 401, 403, 500, 503) else None)


def test_a_download_that_is_too_large_or_unwanted_stops(yard: Yard, site: Site) -> None:
    site.pages["/large"] = answer(200, b"x" * (LARGEST + 1))
    assert yard.refusal({"url": site.url("/large")}).code == "too_large"
    site.pages["/a"] = answer(200, b"text")
    with pytest.raises(Cancelled):
        yard.fetch({"url": site.url("/a")}, cancelled=lambda: True)


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "http://[::1]/", "http://169.254.169.254/", "ftp://example.com/"])
def test_a_forbidden_url_is_no_error_that_passes(yard: Yard, url: str) -> None:
    refused = yard.refusal({"url": url})
    assert (refused.code, refused.retryable) == ("forbidden_url", False)


def test_a_server_that_cannot_be_reached_may_be_reached_later(yard: Yard) -> None:
    refused = yard.refusal({"url": "http://kb.invalid/a"})
    assert (refused.code, refused.retryable) == ("fetch_failed", True)


def test_an_upload_that_is_gone_is_not_found(yard: Yard) -> None:
    assert yard.refusal({"upload_id": str(new_id())}).code == "not_found"
