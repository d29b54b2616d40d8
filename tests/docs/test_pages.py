"""What the pages show works as it stands there, and both languages show the same."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from settings import ALIASES, Settings
from task_manager_client import TaskManager
from tests.docs import chinese, tables
from tests.docs.blocks import Reader, blocks, environment
from tests.guard import Guard
from tests.processes import EmbeddedDeployment
from tests.s3_server import s3_server
from tests.servers import free_port
from tests.test_outbound import Site, answer
from tests.test_requirements import ROOT

DOCS = ROOT / "docs"
SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#: Pages with blocks to run, and the pages whose programs they take for granted.
RUN: dict[Path, tuple[Path, ...]] = {
    ROOT / "README.md": (),
    **{
        DOCS / f"{name}.md": ()
        for name in ("tutorial", "integrate", "search", "howto", "kbs", "schedules", "bulk", "grpc", "embedding")
    },
    DOCS / "callbacks.md": (DOCS / "integrate.md",),
}
#: Pages that take for granted that the KB `kitchen` holds the document of the README.
FURNISHED = ("kbs.md", "embedding.md")
#: Each Chinese page beside its English one.
PAIRS = {
    ROOT / "README.zh-CN.md": ROOT / "README.md",
    **{page: page.with_name(page.name.replace(".zh.md", ".md")) for page in sorted(DOCS.rglob("*.zh.md"))},
}
#: Pages and folders without a Chinese page, and why.
ENGLISH_ONLY = {
    "architecture.md": "for whoever changes the code, which is in English",
    "decisions/": "for whoever changes the code, which is in English",
    **dict.fromkeys(
        ("benchmarks.md", "benchmarks-ingest.md", "benchmarks-dashboard.md", "documents.md", "estimates.md"),
        "written by a program, with figures that change with every run; measured.zh.md says what is there",
    ),
}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """The site of the pages, which asks for a header."""
    site = Site()
    tea = answer(200, b"# Tea\n\nTea is at five.\n", content_type="text/markdown")

    def page(handler: Any) -> None:
        (tea if handler.headers["Authorization"] == "Bearer TOKEN" else answer(401))(handler)

    site.pages["/tea.md"] = page
    yield site
    site.close()


@pytest.fixture(scope="module")
def service(server_folder: Path, guard: Guard, site: Site) -> Iterator[EmbeddedDeployment]:
    """What `make run` starts, with gRPC, with callbacks to this machine, and with sources on it."""
    folder = Path(tempfile.mkdtemp(dir=server_folder))
    settings = {
        "CALLBACK_SECRET": SECRET,
        "CALLBACK_ALLOWED_HOSTS": "localhost",
        "SOURCE_ALLOWED_HOSTS": site.host,
        "SOURCE_ROOTS": "s3://bucket/prefix",
        "GRPC_PORT": str(free_port()),
    }
    with pytest.MonkeyPatch.context() as patch, s3_server(folder / "s3", patch) as bucket:
        bucket.put("prefix/tea.md", b"# Tea\n\nTea is at five.\n", "bucket")
        with EmbeddedDeployment(folder, guard, **settings) as process:
            process.patience = 120.0  # it begins with the libraries of S3 and of gRPC
            process.start_embedded()
            yield process


def commands(folder: Path) -> dict[str, str]:
    """Where a reader finds the command `tm`, which the Makefile writes, and `grpcurl`."""
    path = folder / ".venv" / "bin"
    path.mkdir(parents=True)
    for name, module in (("tm", "task_manager_client.command.main"), ("grpcurl", "tests.docs.grpcurl")):
        command = path / name
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
        command.chmod(0o755)
    ours = f"{path}{os.pathsep}{environment()['PATH']}"
    return {"PATH": ours, "PYTHONPATH": f"{ROOT / 'client'}{os.pathsep}{ROOT}"}


def furnish(service: EmbeddedDeployment, kb: str) -> None:
    """Have a KB hold the document of the README."""
    with TaskManager(service.url) as tm:
        tm.documents.upload(kb, b"# Tea\n\n## Brewing\n\nGreen tea.\n", filename="tea.md").wait(60).check()


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)
def test_what_a_page_shows_works(page: Path, service: EmbeddedDeployment, site: Site, tmp_path: Path) -> None:
    kitchen = f"kitchen-{page.stem}"
    here = {
        "localhost:8084": f"localhost:{service.port}",
        "localhost:8085": f"localhost:{service.environment['GRPC_PORT']}",
        "rpc/proto": str(ROOT / "rpc" / "proto"),
        "9000": str(free_port()),
        "kitchen": kitchen,
        "https://wiki.example.com": site.url(""),
        # Of another embedder only the name is needed here.
        '"embedder": "e5"': '"embedder": "local"',
        "e5:multilingual-e5-small:384": "local:hashed-ngrams:1024",
    }
    if page.name in FURNISHED:
        furnish(service, kitchen)
    variables = {"CALLBACK_SECRET": SECRET, "TM_API_URL": service.url, **commands(tmp_path)}
    reader = Reader(tmp_path, here, environment(**variables))
    assert reader.follow(page, before=RUN[page]) > 0


def test_every_page_with_blocks_to_run_is_run() -> None:
    english = {*ROOT.glob("*.md"), *DOCS.rglob("*.md")} - PAIRS.keys()
    assert {page for page in english if any(block.run for block in blocks(page))} == RUN.keys()


def shape(page: Path) -> list[str]:
    """The headings' levels, the code, the pictures and the rows of tables with the code in their first cells."""
    pieces = []
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for line in text.splitlines():
        if heading := re.match(r"(#+) ", line):
            pieces.append(heading[1])
        elif line.startswith("| `"):
            pieces.append(" ".join(re.findall(r"`[^`]+`", line.split(" | ")[0])))
        elif picture := re.match(r"!\[.*\]\(([^)]+?)(?:\.zh)?\.(svg|png)\)", line):
            pieces.append(re.sub("-(en|zh)-", "-", f"{picture[1]}.{picture[2]}"))
    return pieces


def programs(page: Path) -> list[str]:
    """The code between fences, without what its comments say, and with hints in either language."""
    either = [re.sub(r"error\.hint(?:_zh)?\b(\": \".*\")?", "error.hint", block.code) for block in blocks(page)]
    return [re.sub(r"(?m)(#|//|/\*\*|\"\"\").*$", r"\1", code) for code in either]


def test_every_page_has_a_chinese_one_or_a_reason_why_not() -> None:
    english = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md") if not page.name.endswith(".zh.md")}
    alone = english - {str(page.relative_to(DOCS)) for page in PAIRS.values() if page.is_relative_to(DOCS)}
    reasons = {page: [name for name in ENGLISH_ONLY if page.startswith(name)] for page in alone}
    assert [page for page, names in reasons.items() if not names] == [], "write NAME.zh.md"
    assert {name for names in reasons.values() for name in names} == ENGLISH_ONLY.keys()


@pytest.mark.parametrize("page", PAIRS, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_chinese_page_has_what_the_english_one_has(page: Path) -> None:
    assert shape(page) == shape(PAIRS[page])
    assert programs(page) == programs(PAIRS[page])


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them; `make docs` makes the same."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", [*PAIRS, *PAIRS.values()], ids=lambda page: str(page.relative_to(ROOT)))
def test_a_link_leads_to_a_heading(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:|mailto:)([^)#\s]*)#([^)\s]+)\)", page.read_text("utf-8")):
        assert anchor in anchors(page.parent / target if target else page), f"{target}#{anchor}"


@pytest.mark.parametrize("page", PAIRS, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_chinese_page_leads_to_chinese_pages_and_says_of_others_that_they_are_english(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|mailto:)([^)#\s]+)\.md(?:#[^)\s]*)?\)(（英文）)?", page.read_text("utf-8"))
    for target, said in links:
        if not target.endswith((".zh", "zh-CN")) and page.parent / f"{target}.md" != PAIRS[page]:
            assert not (page.parent / f"{target}.zh.md").exists(), f"{target}.md is there in Chinese"
            assert said, f"{target}.md is in English: say （英文） behind it"


#: A letter or digit beside a Chinese character without the space that GB/T 15834's users put there.
CLOSE = re.compile(r"[\u4e00-\u9fff][A-Za-z0-9`]|[A-Za-z0-9`][\u4e00-\u9fff]")


@pytest.mark.parametrize("page", PAIRS, ids=lambda page: str(page.relative_to(ROOT)))
def test_chinese_is_set_with_spaces_beside_latin_and_with_its_own_punctuation(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for line in text.splitlines():
        prose = re.sub(r"\]\([^)]*\)|<[^>]+>", "]", line)
        prose = re.sub(r"`[^`]*`", "`c`", prose)
        assert not CLOSE.search(prose), line
        assert not re.search(r"[\u4e00-\u9fff][,;:!?]|[,;!?][\u4e00-\u9fff]", prose), line


@pytest.mark.parametrize("name", tables.TABLES)
def test_a_table_is_what_the_code_says(name: str) -> None:
    shown, made = tables.parts(DOCS / name)[1].strip(), tables.TABLES[name]().strip()
    if name.startswith("metrics."):
        # A metric that is new comes onto the page when the site is built.
        made = "\n".join(line for line in made.splitlines() if line in shown.splitlines())
    assert shown == made, "run python -m tests.docs.tables"


def test_no_chinese_is_kept_of_what_the_code_says_no_more() -> None:
    shown = (DOCS / "rest.md").read_text("utf-8")
    for sentence in chinese.ROUTES:
        assert sentence in shown


def settings_of(page: Path) -> dict[str, str]:
    """Each variable of the table of settings, and its default as the table says it."""
    defaults = {}
    for line in page.read_text("utf-8").splitlines():
        if line.startswith("| `"):
            names, default, _ = (cell.strip() for cell in line.strip("|").split("|"))
            defaults.update(dict.fromkeys(re.findall(r"`([A-Z_]+)`", names), default))
    return defaults


@pytest.mark.parametrize("page", ["settings.md", "settings.zh.md"])
def test_every_setting_is_in_the_table_with_its_default(page: str) -> None:
    own = {"HOST", "FORWARDED_ALLOW_IPS"}  # read where they are used
    defaults = settings_of(DOCS / page)
    assert {*(name.upper() for name in Settings.model_fields), *ALIASES, *own} == set(defaults)
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, (int, float, str)):
            assert defaults[name.upper()] == str(field.default), name
