"""The files that pages load: whose they are, and that they are what they say."""

from __future__ import annotations

import hashlib
import re

from dashboard.compression import WORTH_IT
from dashboard.static import FOLDER, address, files
from tests.api.conftest import Client


def test_files_of_others_are_what_the_list_of_licences_says() -> None:
    listed = dict(re.findall(r"\| `(\S+)` \|.*\| `([0-9a-f]{64})` \|", (FOLDER / "LICENSES.md").read_text("utf-8")))
    assert set(listed) == {"htmx.js", "uplot.js", "uplot.css", "pico.css"}
    for name, digest in listed.items():
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest, name


def test_an_address_changes_with_the_file() -> None:
    digest = hashlib.sha256((FOLDER / "dashboard.js").read_bytes()).hexdigest()
    assert address("dashboard.js") == f"/static/{digest[:12]}/dashboard.js"


def test_no_script_needs_a_looser_policy() -> None:
    for path in [*FOLDER.glob("*.js"), *(FOLDER.parent / "templates").glob("*.html")]:
        if path.name in ("htmx.js", "uplot.js"):
            continue
        text = path.read_text("utf-8")
        assert not re.search(r"\beval\(|new Function|innerHTML|hx-on|\sstyle=|javascript:|\son\w+=\"", text), path.name
        assert not re.search(r"(src|href)=\"https?:", text), path.name


def test_a_browser_that_reads_gzip_is_sent_less(client: Client) -> None:
    address = re.search(r"/static/\w+/pico\.css", client.http.get("/queues").text)
    assert address is not None
    for path in (address[0], "/queues", "/plots?window=24h"):
        plain = client.http.get(path, headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        small = client.http.get(path, headers={"Accept-Encoding": "br, gzip;q=0.5"})
        assert small.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
        if len(plain.content) < WORTH_IT:
            continue
        assert small.headers["content-encoding"] == "gzip"
        assert int(small.headers["content-length"]) < len(plain.content) / 2
        refused = client.http.get(path, headers={"Accept-Encoding": "gzip;q=0, identity"})
        assert "content-encoding" not in refused.headers
        if path == address[0]:
            assert small.content == plain.content
    with client.http.stream("GET", "/queues?live=1") as answer:
        assert "content-encoding" not in answer.headers, "a stream is sent as it comes"


def test_the_files_of_others_take_50_kb_on_the_wire() -> None:
    assert sum(len(files()[name].as_gzip) for name in ("htmx.js", "uplot.js", "uplot.css", "pico.css")) < 51_200
