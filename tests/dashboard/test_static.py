"""The files that pages load: whose they are, and that they are what they say."""

from __future__ import annotations

import hashlib
import re

from dashboard.static import FOLDER, address


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
