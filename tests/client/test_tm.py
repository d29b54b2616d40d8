"""The command `tm` against a running service: what it prints, on a terminal and off it, and how it ends."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from task_manager_client import TaskManager
from tests.client.command import Run, environment, on_a_terminal, run
from tests.client.conftest import KEY, LARGEST
from tests.processes import EmbeddedDeployment
from tests.receiver import Receiver
from tests.servers import eventually, free_port
from tests.test_outbound import Site, answer
from tests.test_requirements import ROOT

TEA = "# Tea\n\n## Brewing\n\nGreen tea is brewed at 80 °C.\n\n绿茶要用八十度的水冲泡两分钟。\n"
#: The command, which tells at its end how much memory it had at most.
MEASURED = """
import atexit, pathlib, runpy
atexit.register(lambda: print(pathlib.Path("/proc/self/status").read_text()))
runpy.run_module("task_manager_client.command.main", run_name="__main__", alter_sys=True)
"""


@pytest.fixture
def tm(service: EmbeddedDeployment) -> Run:
    """The command off a terminal, with the address and the key of the service."""

    def tm(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        return run(*arguments, **{"TM_API_URL": service.url, "TM_API_KEY": KEY, **variables})

    return tm


@pytest.fixture
def tea(tmp_path: Path) -> Path:
    path = tmp_path / "tea.md"
    path.write_text(TEA, encoding="utf-8")
    return path


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    path = tmp_path / "empty.txt"
    path.touch()
    return path


@pytest.fixture
def site() -> Iterator[Site]:
    """A site that the service may fetch from, and which asks for a header."""
    site = Site()
    tea = answer(200, TEA.encode(), content_type="text/markdown")

    def page(handler: Any) -> None:
        (tea if handler.headers["Authorization"] == "Bearer s3cr3t" else answer(401))(handler)

    site.pages["/tea.md"] = page
    yield site
    site.close()


def test_a_url_is_fetched_with_the_headers_that_are_given(here: Run, site: Site, tea: Path, tmp_path: Path) -> None:
    kb, url = f"kb-{uuid.uuid4()}", site.url("/tea.md")
    secrets = tmp_path / "headers"
    secrets.write_text("Authorization: Bearer s3cr3t\nX-Tenant: kb\n\n")
    for header in ("Authorization: Bearer s3cr3t", f"@{secrets}"):
        done = here("submit", url, "--kb", kb, "--force", "--wait", "--header", header)
        assert (done.returncode, "s3cr3t" in done.stdout + done.stderr) == (0, False), done.stderr
    assert site.requests[-1][1]["x-tenant"] == "kb"
    assert here("submit", url, "--kb", kb, "--wait", "--retry-limit", "0").returncode == 1, "without"
    for wrong in ("s3cr3t", ": s3cr3t", f"@{tmp_path}/none"):
        done = here("submit", url, "--kb", kb, "--header", wrong)
        assert (done.returncode, "s3cr3t" in done.stderr, "--header" in done.stderr) == (2, False, True)
    assert "for URLs alone" in here("submit", url, tea, "--kb", kb, "--header", "A: s3cr3t").stderr
    done = here("submit", url, "--kb", kb, "--header", "Host: s3cr3t")
    assert (done.returncode, "must not contain Host" in done.stderr) == (2, True), done.stderr


def sparse(path: Path, size: int) -> Path:
    """A file of zeros that takes no room."""
    with path.open("wb") as file:
        file.truncate(size)
    return path


def test_off_a_terminal_each_state_is_a_line(tm: Run, tea: Path) -> None:
    done = tm("submit", tea, ROOT / "samples" / "field-guide.pdf", "--kb", "lines", "--wait")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"2 of 2 completed, \d+ chunks\n", done.stderr)
    assert "\x1b" not in done.stdout
    lines = done.stdout.splitlines()
    assert len(lines) == len(set(lines))
    assert sum(bool(re.fullmatch(r"tea\.md: queued as task [0-9a-f-]{36}", line)) for line in lines) == 1
    assert sum(bool(re.fullmatch(r"tea\.md: completed in \d+\.\d s: 1 chunk", line)) for line in lines) == 1
    pdf = [line for line in lines if line.startswith("field-guide.pdf: ")]
    assert re.fullmatch(r"field-guide\.pdf: completed in \d+\.\d s: 4 pages, \d+ chunks", pdf[-1])


def test_without_wait_it_tells_the_tasks_id_and_returns(tm: Run, tea: Path, service: EmbeddedDeployment) -> None:
    done = tm("submit", tea, "--kb", "ids", "--document-id", "the tea", "--priority", "high", "--encoding", "utf-8")
    assert done.returncode == 0, done.stderr
    match = re.fullmatch(r"tea\.md: queued as task (\S+)\n", done.stdout)
    assert match
    answer = service.http.get(f"/api/v1/tasks/{match[1]}", headers={"Authorization": f"Bearer {KEY}"})
    task = answer.json()
    assert (task["priority"], task["payload"]["document_id"]) == ("high", "the tea")
    assert (task["payload"]["filename"], task["payload"]["encoding"]) == ("tea.md", "utf-8")


def test_on_a_terminal_each_document_has_a_bar(service: EmbeddedDeployment, tea: Path, empty: Path) -> None:
    code, sent = on_a_terminal("submit", tea, empty, "--kb", "bars", "--wait", TM_API_URL=service.url, TM_API_KEY=KEY)
    assert code == 1, sent
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", sent)
    assert re.search(r"tea\.md +━{20} 100 % completed in \d+\.\d s: 1 chunk", shown)
    assert re.search(r"empty\.txt +━{20}   0 % failed: empty", shown)
    assert re.search(r"all +━{20} 100 % 2 of 2, 1 failed", shown)
    assert "empty.txt: empty in preprocessing: " in shown
    assert sent.count("\x1b[?25l") == sent.count("\x1b[?25h") == 1, "the cursor is shown again"


def test_bars_scroll_away_as_lines_where_the_screen_cannot_hold_them(
    service: EmbeddedDeployment, tmp_path: Path
) -> None:
    files = [tmp_path / f"{number}.txt" for number in range(30)]
    for path in files:
        path.write_text(f"Document {path.stem}.")
    code, sent = on_a_terminal(
        "submit", *files, "--kb", "many", "--wait", TM_API_URL=service.url, TM_API_KEY=KEY, LINES="24"
    )
    assert code == 0
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", sent)
    for path in files:
        assert len(re.findall(rf"(?<!\d){path.name}: completed in ", shown)) == 1, path.name


def test_a_failed_task_ends_it_with_1_and_says_why_and_what_to_do(tm: Run, tea: Path, empty: Path) -> None:
    done = tm("submit", empty, tea, "--kb", "failures", "--wait")
    assert done.returncode == 1
    assert "empty.txt: failed: empty\n" in done.stdout
    assert "tea.md: completed" in done.stdout
    why, what_to_do, whole = done.stderr.splitlines()
    assert whole == "1 of 2 completed, 1 failed, 1 chunks"
    assert why.startswith("empty.txt: empty in preprocessing: ")
    assert what_to_do == "  Check that the right file was submitted; a document without text cannot be searched."


def test_who_reads_chinese_is_told_in_chinese(tm: Run, empty: Path) -> None:
    done = tm("submit", empty, "--kb", "failures", "--wait", LANG="zh_CN.UTF-8")
    assert done.stderr.splitlines()[1] == "  请确认提交的文件是否正确；没有文字的文档无法被检索。"


def test_what_the_service_doubts_is_told(tm: Run, tmp_path: Path) -> None:
    path = tmp_path / "doubtful.txt"
    path.write_bytes("中文".encode() * 50 + b"\xff" + "中文".encode() * 50)
    done = tm("submit", path, "--kb", "doubts", "--wait")
    assert done.returncode == 0, done.stderr
    assert "doubtful.txt: 1 characters are broken UTF-8 and became U+FFFD\n" in done.stderr


def test_why_tells_the_reason_and_the_tasks_that_are_waited_for(tm: Run, service: EmbeddedDeployment) -> None:
    def submit(**fields: object) -> str:
        headers = {"Authorization": f"Bearer {KEY}"}
        answer = service.http.post("/api/v1/tasks", json={"task_type": "test", **fields}, headers=headers)
        return str(answer.json()["task_id"])

    first = submit(run_at="2100-01-01T00:00:00Z")
    second = submit(depends_on=[first])
    done = tm("why", first)
    assert re.fullmatch(r"scheduled since 20\S+Z: It is due at 2100-01-01T00:00:00\S*Z, .+\n", done.stdout), done
    headline, awaited = tm("why", second).stdout.splitlines()
    assert re.fullmatch(r"depends since 20\S+Z: It depends on other tasks, 1 of which .+", headline)
    assert awaited == f"  {first}: waiting, test"
    assert "它依赖其他任务" in tm("why", second, LANG="zh_CN.UTF-8").stdout
    unknown = tm("why", "00000000-0000-7000-8000-000000000000")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert unknown.stderr.startswith("tm: ")


def test_search_shows_document_place_score_and_text(tm: Run) -> None:
    files = [ROOT / "samples" / name for name in ("field-guide.pdf", "tea-garden.txt")]
    assert tm("submit", *files, "--kb", "search", "--wait").returncode == 0
    done = tm("search", "Which bird calls like a bell heard under water?", "--kb", "search", "--limit", "2")
    assert done.returncode == 0, done.stderr
    first = done.stdout.splitlines()[0]
    assert re.fullmatch(r"1\. field-guide\.pdf, page 2, .* › The Cliffs › Bell Petrel  \d\.\d{3}", first)
    assert "The call for which it is named sounds like a small bell heard under water" in done.stdout
    assert re.findall(r"^\d+(?=\. \S+\.(?:pdf|txt)\b)", done.stdout, re.MULTILINE) == ["1", "2"]
    chinese = tm("search", "特级绿茶用多少度的水冲泡", "--kb", "search", "--mode", "text").stdout
    assert chinese.startswith("1. tea-garden.txt, 云雾山茶园手册 › 第三章 冲泡与贮藏  ")


def test_search_without_a_hit_says_so(tm: Run) -> None:
    done = tm("search", "anything", "--kb", "nowhere")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("tm: nothing in nowhere fits")


def test_a_document_cannot_steer_the_terminal(tm: Run, tea: Path) -> None:
    assert tm("submit", tea, "--kb", "steer", "--document-id", "a\x1b]0;owned\x07b", "--wait").returncode == 0
    assert tm("search", "tea", "--kb", "steer").stdout.startswith("1. a]0;ownedb, Tea › Brewing")


def test_a_folder_is_submitted_with_ids_from_its_paths(tm: Run, tmp_path: Path) -> None:
    for name in ("a.txt", "below/a.txt", "below/.hidden", ".git/config"):
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_text(f"This is {name}.")
    options = ["--metadata", "year=2026", "--metadata", '{"by": ["Li"]}', "--chunk-size", "500"]
    done = tm("submit", "-r", tmp_path / "folder", "--kb", "folder", "--wait", *options)
    assert done.returncode == 0, done.stderr
    listed = tm("documents", "--kb", "folder", "-o", "jsonl", "--fields", "document_id,metadata.year,metadata.by")
    rows = [json.loads(line) for line in listed.stdout.splitlines()]
    assert rows == [
        {"document_id": name, "metadata.year": "2026", "metadata.by": ["Li"]} for name in ("a.txt", "below/a.txt")
    ]
    assert tm("documents", "text", "below/a.txt", "--kb", "folder").stdout == "This is below/a.txt."
    task = json.loads(tm("list", "--kb", "folder", "--document-id", "a.txt", "-o", "json").stdout)[0]
    assert task["payload"]["chunk_size"] == 500


def test_what_an_archive_holds_is_followed_and_counts(tm: Run, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("good.txt", "Good.")
        archive.writestr("bad.pdf", "%PDF-1.4 is not one")
    done = tm("submit", tmp_path / "a.zip", "--kb", "archive", "--wait")
    assert done.returncode == 1, done.stdout
    assert "a.zip: unpacked in " in done.stdout
    assert "a.zip/good.txt: completed in " in done.stdout
    assert "a.zip/bad.pdf: failed: corrupt" in done.stdout
    assert done.stderr.endswith("2 of 3 completed, 1 failed, 1 chunks\n")


def test_failures_are_grouped_by_code_with_what_to_do_once(tm: Run, tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).touch()
    (tmp_path / "c.pdf").write_text("%PDF-1.4 is not one")
    done = tm("submit", *sorted(tmp_path.iterdir()), "--kb", "groups", "--wait")
    lines = [line.partition(" in ")[0] if ":" in line else line for line in done.stderr.splitlines()]
    assert [line if not line.startswith("  ") else "→" for line in lines] == [
        *("a.txt: empty", "b.txt: empty", "→", "c.pdf: corrupt", "→"),
        "0 of 3 completed, 3 failed, 0 chunks",
    ]


def test_tasks_are_shown_watched_cancelled_and_retried(here: Run, service: EmbeddedDeployment) -> None:
    with TaskManager(service.url, KEY) as client:
        client.kbs.change("verbs", chunk_size=500)  # so that there is such a KB, whatever becomes of its tasks
        ids = [client.tasks.submit("test", "verbs", run_at="2100-01-01T00:00:00Z").task_id for _ in range(3)]
    assert len(here("list", "--kb", "verbs", "--status", "waiting").stdout.splitlines()) == 4
    assert here("get", ids[0], "--fields", "status,kb_id").stdout == "status  waiting\nkb_id   verbs\n"
    assert here("cancel", ids[0]).stdout == f"{ids[0]}: cancelled\n"
    assert here("cancel", ids[0]).returncode == 2
    assert re.fullmatch(r".*  task\.cancelled  test  .*\n", here("watch", ids[0]).stdout)
    assert here("watch", ids[0]).returncode == 1
    preview = here("cancel", "--kb", "verbs", "--task-type", "test", "--dry-run")
    assert "cancel is for 2 tasks" in preview.stderr
    unasked = here("cancel", "--kb", "verbs", "--task-type", "test")
    assert (unasked.returncode, "say --yes" in unasked.stderr) == (2, True)
    assert "cancel changed 2, refused 0" in here("cancel", "--kb", "verbs", "--task-type", "test", "--yes").stdout
    # A worker may have begun it again before it is shown.
    assert here("retry", ids[0]).stdout in [f"{ids[0]}: {status}\n" for status in ("waiting", "queued", "processing")]
    assert "retry changed 2, refused 0" in here("retry", "--kb", "verbs", "--status", "cancelled", "--yes").stdout
    nowhere = here("list", "--kb", "nowhere")
    assert (nowhere.returncode, nowhere.stdout, nowhere.stderr) == (0, "", "tm: no task fits\n")
    assert "verbs" in here("kbs").stdout
    assert "kb_deletion" in here("get", here("kbs", "delete", "verbs", "--yes").stdout.split()[-1]).stdout


def test_the_doctor_says_what_is_wrong_and_what_to_do(here: Run) -> None:
    well = here("doctor")
    assert (well.returncode, "!" in well.stdout) == (0, False), well.stdout
    for part in ("address", "key", "time", "database", "rabbitmq", "clock", "workers", "embedding", "callbacks"):
        assert re.search(rf"^✓ {part} ", well.stdout, re.MULTILINE), part
    assert "of kb: role operate" in well.stdout
    assert here("queues", "pause", "callback", "--reason", "maintenance").stdout == "callback: paused\n"
    try:
        eventually(lambda: here("doctor").returncode, seconds=20, reason="the figures know of the pause")
        ill = here("doctor").stdout
    finally:
        assert here("queues", "resume", "callback").stdout == "callback: goes on\n"
    assert re.search(r"^! callback .* paused by kb: maintenance\n +→ tm queues resume callback$", ill, re.MULTILINE)
    assert "\u2192 " in here("doctor", TM_API_KEY="wrong").stdout
    assert here("doctor", TM_API_URL=f"http://127.0.0.1:{free_port()}").returncode == 1
    assert "not shown to this key" not in here("doctor", TM_API_KEY="r3ad").stdout
    assert [
        json.loads(line)["action"] for line in here("audit", "--limit", "2", "-o", "jsonl").stdout.splitlines()
    ] == [
        "queue.resume",
        "queue.pause",
    ]


def test_a_shell_completes_verbs_options_and_their_values(here: Run) -> None:
    script = here("completion", "bash").stdout

    def completed(line: str) -> set[str]:
        words = line.split(" ")
        asking = f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _tm; echo ${{COMPREPLY[@]}}"
        done = subprocess.run(["bash", "-c", f"{script}\n{asking}"], capture_output=True, text=True, check=True)
        return set(done.stdout.split())

    assert completed("tm s") == {"submit", "search", "schedules"}
    assert completed("tm list --stat") == {"--status"}
    assert completed("tm list --status p") == {"processing"}
    assert completed("tm queues re") == {"resume"}
    assert completed("tm batches ca") == {"cancel"}
    assert completed("tm batches list --status p") == {"processing"}
    assert "complete -c tm" in here("completion", "fish").stdout
    assert "bashcompinit" in here("completion", "zsh").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["search", "tea"], "required: --kb"),
        (["search", "tea", "--kb", "a", "--mode", "magic"], "invalid choice: 'magic'"),
        (["submit", "README.md", "--kb", "a", "--id", "x"], "usage: tm submit"),
        (["submit", "missing.md", "--kb", "a"], "there is no file 'missing.md'"),
        (["submit", "docs", "--kb", "a"], "docs is a folder: -r takes what is in it"),
        (["submit", "-", "--kb", "a"], "standard input has no name: give it a --filename"),
        (["submit", "README.md", "--kb", "a", "--metadata", "year"], "is neither NAME=VALUE nor a JSON object"),
        (["submit", "README.md", "LICENSE", "--kb", "a", "--document-id", "x"], "is for a single document"),
        (["cancel"], "names nothing"),
        (["queues", "pause"], "pause needs NAME; `tm queues` lists them"),
        (["submit", "README.md", "docs/../README.md", "--kb", "a"], "README.md is there twice"),
    ],
)
def test_wrong_usage_ends_it_with_2(arguments: list[str], said: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_refused_document_ends_it_with_2_and_the_others_go_on(tm: Run, tea: Path, tmp_path: Path) -> None:
    large = sparse(tmp_path / "large.txt", LARGEST + 1)
    done = tm("submit", large, tea, "--kb", "refused", "--wait")
    assert done.returncode == 2
    assert "large.txt: refused\n" in done.stdout
    assert "tea.md: completed" in done.stdout
    assert re.match(r"large\.txt: .* larger than 67,108,864 bytes \(MAX_DOCUMENT_BYTES\)\n", done.stderr)


def test_every_field_that_does_not_fit_is_named(tm: Run, tea: Path) -> None:
    done = tm("submit", tea, "--kb", "k" * 300)
    assert done.returncode == 2
    assert re.fullmatch(r"tea\.md: kb_id: .*255 characters.*\n", done.stderr)


def test_a_document_is_streamed(service: EmbeddedDeployment, tmp_path: Path) -> None:
    large = sparse(tmp_path / "large.txt", LARGEST)
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, "submit", str(large), "--kb", "large"],
        cwd=ROOT,
        env=environment(TM_API_URL=service.url, TM_API_KEY=KEY),
        capture_output=True,
        text=True,
        check=True,
    )
    peak = re.search(r"VmHWM:\s*(\d+) kB", done.stdout)
    assert peak
    assert int(peak[1]) * 1024 < LARGEST, "Python and its libraries take some 40 MB"


def test_an_unreachable_service_ends_it_with_2_and_one_line(tea: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    for arguments in (["search", "tea"], ["submit", str(tea)]):
        done = run(*arguments, "--kb", "a", TM_API_URL=url)
        assert done.returncode == 2
        assert done.stderr.startswith(f"tm: nothing answers at {url} (")
        assert "`make run`" in done.stderr
        assert "TM_API_URL" in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("key", ["", "wrong", f"kb:{KEY}"])
def test_a_wrong_key_ends_it_with_2_and_says_which_variable_holds_it(
    tm: Run, tea: Path, tmp_path: Path, key: str
) -> None:
    large = sparse(tmp_path / "large.txt", LARGEST)  # refused before all of it is sent
    for arguments in (["search", "tea"], ["submit", tea, large, "--wait"]):
        done = tm(*arguments, "--kb", "a", TM_API_KEY=key)
        assert done.returncode == 2
        assert re.match(r"tm: .*TM_API_KEY", done.stderr)
        assert done.stderr.count("TM_API_KEY") == 1
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("url", ["localhost:8084", "ftp://localhost", "http://"])
def test_an_address_that_is_none_is_told_from_one_where_nothing_answers(url: str) -> None:
    done = run("search", "tea", "--kb", "a", TM_API_URL=url)
    assert (done.returncode, done.stderr) == (
        2,
        f"tm: {url!r} is no http:// or https:// address: check TM_API_URL\n",
    )


def test_another_service_at_the_address_is_recognized() -> None:
    with Receiver(answers=[(204, {})]) as other:
        done = run("search", "tea", "--kb", "a", TM_API_URL=other.url)
    assert done.returncode == 2
    assert done.stderr == "tm: the service answers 204, but not as this service does: check TM_API_URL\n"


def test_no_proxy_is_asked_for_the_way_to_this_machine(tm: Run) -> None:
    done = tm("search", "tea", "--kb", "a", HTTP_PROXY="http://127.0.0.1:1", http_proxy="http://127.0.0.1:1")
    assert done.returncode == 0, done.stderr
