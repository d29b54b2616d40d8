"""What the verbs of `tm` can be asked, and that each answers in the form that is asked for."""

from __future__ import annotations

import argparse
import json
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest

from api.resources.kbs import KbChange
from api.resources.many.documents import DocumentsQuery
from api.resources.many.schedules import NewSchedule, ScheduleChange
from api.resources.search import SearchRequest
from task_manager_client import TaskManager
from task_manager_client.command.arguments import ACTIONS, KB_SETTINGS, parser
from tasks.input.batch_filter import BatchFilter
from tests.client.command import Run, shown
from tests.client.conftest import KEY
from tests.processes import EmbeddedDeployment

#: What each of the documents below says, by its path.
TEXTS = {
    "minutes/june.md": "# June\n\nThe kettle was mended in June.\n\n## Tea\n\nThe tea is kept in the cupboard.\n",
    "minutes/july.md": "# July\n\nThe kettle broke again in July.\n",
    "notes.txt": "The kettle is in the kitchen.\n",
}


@pytest.fixture(scope="module")
def kb(service: EmbeddedDeployment) -> str:
    """A KB with three documents, that carry a year and a language each."""
    name = f"verbs-{uuid.uuid4()}"
    with TaskManager(service.url, KEY) as client:
        for number, (path, text) in enumerate(TEXTS.items()):
            metadata = {"year": str(2024 + number), "lang": "de" if number else "en"}
            options: Any = {"filename": Path(path).name, "document_id": path, "metadata": metadata, "chunk_size": 60}
            client.documents.upload(name, text.encode(), chunk_overlap=0, **options).wait(60).check()
    return name


def ids(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The ids of documents in JSON Lines."""
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["document_id"] for line in done.stdout.splitlines()]


JUNE, JULY, NOTES = TEXTS
NOBODY = str(uuid.UUID(int=0))


@pytest.mark.parametrize(
    ("options", "documents"),
    [
        (["--prefix", "minutes/"], [JULY, JUNE]),
        (["--format", "text"], [NOTES]),
        (["--format", "markdown", "--metadata", "lang=de"], [JULY]),
        (["--metadata", "year=2024", "--metadata", "year=2026"], [JUNE, NOTES]),
        (["--metadata", '{"year": ["2024", "2025"]}', "--metadata", "lang=en"], [JUNE]),
        (["--state", "current"], [JULY, JUNE, NOTES]),
        (["--state", "failed"], []),
        (["--updated-after", "2100-01-01T00:00:00Z"], []),
        (["--sort", "-size", "--limit", "1"], [JUNE]),
        (["--sort", "updated_at"], [JUNE, JULY, NOTES]),
    ],
)
def test_documents_are_listed_by_the_filters_of_rest(
    here: Run, kb: str, options: list[str], documents: list[str]
) -> None:
    assert ids(here("documents", "list", "--kb", kb, "-o", "jsonl", *options)) == documents


@pytest.mark.parametrize(
    ("options", "documents"),
    [
        (["--document", NOTES], {NOTES}),
        (["--document", NOTES, "--document", JUNE, "--per-document", "1"], {NOTES, JUNE}),
        (["--metadata", "year=2024", "--metadata", "year=2025", "--metadata", "lang=de"], {JULY}),
        (["--min-score", "1"], set()),
    ],
)
def test_a_search_is_narrowed_by_documents_and_metadata(
    here: Run, kb: str, options: list[str], documents: set[str]
) -> None:
    hits = ids(here("search", "kettle", "--kb", kb, "-o", "jsonl", *options))
    assert set(hits) == documents
    if "--per-document" in options:
        assert len(hits) == len(documents)


def test_a_search_shows_what_stands_around_and_joins_it(here: Run, kb: str) -> None:
    asked = ("search", "The kettle was mended", "--kb", kb, "--document", JUNE, "--limit", "1")
    (hit,) = shown(here(*asked, "--around", "1", "-o", "json"))["hits"]
    assert [chunk["text"].split()[-1] for chunk in hit["after"]] == ["cupboard."]
    assert "cupboard" not in here(*asked).stdout
    assert "cupboard" in here(*asked, "--around", "1").stdout
    both = ("search", "kettle cupboard", "--kb", kb, "--document", JUNE, "-o", "jsonl", "--fields", "document_id")
    assert [ids(here(*both)), ids(here(*both, "--join"))] == [[JUNE, JUNE], [JUNE]]
    assert shown(here(*asked, "--around", "0", "-o", "json"))["hits"][0]["after"] == []
    unmodelled = here(*asked, "--rerank")
    assert unmodelled.stderr.startswith("tm: rerank: ")
    assert "RERANK" in unmodelled.stderr


def test_a_search_as_json_is_the_whole_answer_and_as_lines_its_hits(
    here: Run, kb: str, service: EmbeddedDeployment
) -> None:
    asked = ("search", "kettle", "--kb", kb, "--limit", "2")
    with TaskManager(service.url, KEY) as client:
        answer = client.search(kb, "kettle", limit=2).raw
    whole = shown(here(*asked, "-o", "json"))
    assert [*whole] == [*answer]
    assert {**whole, "took_ms": None} == {**answer, "took_ms": None}
    chosen = shown(here(*asked, "-o", "json", "--fields", "document_id,scores.words"))
    hits = [{"document_id": hit["document_id"], "scores.words": hit["scores"]["words"]} for hit in answer["hits"]]
    assert (chosen["hits"], chosen["confidence"]) == (hits, answer["confidence"])
    assert [json.loads(line) for line in here(*asked, "-o", "jsonl").stdout.splitlines()] == answer["hits"]
    nothing = here("search", "kettle", "--kb", "nowhere", "-o", "json")
    assert (shown(nothing)["hits"], "nothing in nowhere fits" in nothing.stderr) == ([], True)


def test_the_original_comes_as_it_was(here: Run, kb: str, tmp_path: Path) -> None:
    asked = ("documents", "original", JULY, "--kb", kb)
    assert here(*asked).stdout == TEXTS[JULY]
    size = len(TEXTS[JULY].encode())
    assert here(*asked, "--to", tmp_path / "a").stdout == f"{JULY}: {size} bytes are in {tmp_path / 'a'}\n"
    assert (tmp_path / "a").read_text() == TEXTS[JULY]
    assert shown(here(*asked, "--to", tmp_path / "b", "-o", "json", "--fields", "bytes")) == {"bytes": size}
    assert "say --to FILE" in here(*asked, "-o", "json").stderr
    assert "cannot be written" in here(*asked, "--to", tmp_path / "none" / "a").stderr
    text = shown(here("documents", "text", JULY, "--kb", kb, "-o", "json"))
    assert text == {"document_id": JULY, "text": TEXTS[JULY]}


def test_metadata_is_changed_and_what_a_filter_names_is_deleted(here: Run, tmp_path: Path) -> None:
    kb = f"deletions-{uuid.uuid4()}"
    for name in ("old/a.txt", "old/b.txt", "c.txt", "d.txt"):
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_text(f"This is {name}.")
    assert here("submit", "-r", tmp_path / "folder", "--kb", kb, "--wait").returncode == 0
    documents = ("documents", "--kb", kb)

    def on(action: str, *more: str) -> subprocess.CompletedProcess[str]:
        return here("documents", action, *more, "--kb", kb)

    changed = ("change", "c.txt", "--metadata", "draft=yes", "--metadata", '{"year": 2026}')
    assert on(*changed).stdout == "c.txt: changed\n"
    assert shown(on(*changed, "-o", "json"))["metadata"] == {"draft": "yes", "year": 2026}
    assert ids(on("list", "--metadata", "draft=yes", "-o", "jsonl")) == ["c.txt"]
    assert shown(on("delete", "--metadata", "draft=yes", "--yes", "-o", "json"))["result"] == {"deleted": 1}
    preview = on("delete", "--prefix", "old/", "--dry-run")
    assert preview.stderr == "delete is for 2 documents; among them:\n"
    assert {"old/a.txt", "old/b.txt"} <= set(preview.stdout.split())
    unasked = on("delete", "--prefix", "old/")
    assert (unasked.returncode, "say --yes" in unasked.stderr) == (2, True)
    assert "no document fits" in on("delete", "--prefix", "old/", "--format", "pdf", "--yes").stderr
    assert on("delete", "--prefix", "old/", "--yes").stdout.endswith(": deleted 2 documents\n")
    assert here(*documents, "--fields", "document_id").stdout.split() == ["document_id", "d.txt"]
    assert shown(on("delete", "d.txt", "--yes", "-o", "json")) == {"document_id": "d.txt", "deleted": True}
    nothing = on("delete", "--all", "--yes")
    assert (nothing.returncode, nothing.stderr) == (0, "tm: no document fits\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["delete"], "names nothing"),
        (["delete", "a", "--prefix", "b"], "not both"),
        (["change", "a"], "change needs --metadata"),
        (["list", "--metadata", "x"], "neither NAME=VALUE nor a JSON object"),
    ],
)
def test_what_documents_cannot_be_asked_is_refused(here: Run, arguments: list[str], said: str) -> None:
    done = here("documents", *arguments, "--kb", "nowhere")
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


#: What a command line must have besides, to be one.
NEEDED = {"documents": ["--kb", "nowhere"]}


@pytest.mark.parametrize(("verb", "action"), [(verb, action) for verb in ACTIONS for action in ACTIONS[verb]])
def test_each_action_refuses_what_it_would_ignore(verb: str, action: str, capsys: pytest.CaptureFixture[str]) -> None:
    takes, options = ACTIONS[verb][action], {option for entry in ACTIONS[verb].values() for option in entry.options}
    whole, start = parser(), [verb, action, *NEEDED.get(verb, [])]
    named = ["it"] if takes.named else []
    for option in of_verb(verb, whole)._actions:
        if option.dest in options - {*takes.options}:
            with pytest.raises(SystemExit, match="2"):
                whole.parse_args([*start, *named, *words_of(option)])
            assert f"tm {verb}: {action} takes no {option.option_strings[0]}" in capsys.readouterr().err
        elif option.option_strings and option.dest != "help":
            assert whole.parse_args([*start, *named, *words_of(option)]).action == action
    if takes.named is not None and any(argument.dest == "name" for argument in of_verb(verb, whole)._actions):
        with pytest.raises(SystemExit, match="2"):
            whole.parse_args(start if takes.named else [*start, "it"])
        assert f"tm {verb}: {action} {'needs' if takes.named else 'takes no'} " in capsys.readouterr().err


def test_an_option_that_says_what_is_so_anyway_is_refused_as_well(here: Run) -> None:
    for arguments, said in (
        (["kbs", "get", "a", "--limit", "50"], "get takes no --limit, which is for list"),
        (["documents", "text", "a", "--kb", "b", "--limit", "50"], "text takes no --limit, which is for list, chunks"),
        (["workers", "--calm", "60"], "say --max"),
    ):
        done = here(*arguments)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert here("kbs", "list", "--limit", "50").returncode == 0


def words_of(option: argparse.Action) -> list[str]:
    """An option with a value that is not what it has by itself."""
    if option.nargs == 0:
        return [option.option_strings[0]]
    return [option.option_strings[0], str([*option.choices][-1]) if option.choices else "7"]


def test_workers_and_bulks_refuse_what_they_would_ignore(here: Run) -> None:
    for arguments, said in (
        (["workers", "--min", "2"], "say --max"),
        (["workers", "python", "worker.py"], "say --max"),
        (["cancel", NOBODY, "--dry-run"], "not by both"),
        (["retry", NOBODY, "--all"], "not by both"),
        (["batches", "cancel", NOBODY, "--status", "processing"], "not both"),
        (["batches", "retry", NOBODY, "--dry-run"], "not both"),
        (["batches", "cancel"], "names nothing"),
        (["batches", "retry", NOBODY], "batch"),
        (["undo", NOBODY], "tm: "),
    ):
        done = here(*arguments)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_what_is_set_for_a_kb_is_shown_set_and_taken_back(here: Run, tmp_path: Path) -> None:
    kb = f"set-{uuid.uuid4()}"
    secret = tmp_path / "secret"
    secret.write_text("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n")
    options = ["--chunk-size", "500", "--chunk-overlap", "0", "--chunk-unit", "tokens", "--embedder", "local"]
    groups = ["--synonyms", "KB, knowledge base", "--synonyms", "bed,roses", "--callback-secret", f"@{secret}"]
    set_ = here(
        "kbs", "set", kb, *options, *groups, "--callback-url", "https://kb.example/hook", "--weight", "3", "-o", "json"
    )
    assert shown(set_)["settings"] == {
        "chunk_size": 500,
        "chunk_overlap": 0,
        "chunk_unit": "tokens",
        "embedder": "local",
        "callback_url": "https://kb.example/hook",
        "has_callback_secret": True,
        "synonyms": [["KB", "knowledge base"], ["bed", "roses"]],
        "weight": 3,
    }
    assert "MDEy" not in set_.stdout + set_.stderr
    assert here("kbs", "get", kb, "--fields", "settings.chunk_size").stdout == "settings.chunk_size  500\n"
    back = [part for name in KB_SETTINGS for part in ("--unset", name)]
    taken = shown(here("kbs", "set", kb, *back, "-o", "json"))["settings"]
    assert {name: value for name, value in taken.items() if value} == {"weight": 1}
    assert "needs a setting" in here("kbs", "set", kb).stderr
    assert "get takes no --chunk-overlap" in here("kbs", "get", kb, "--chunk-overlap", "0").stderr
    assert "both set and taken back" in here("kbs", "set", kb, "--chunk-size", "5", "--unset", "chunk_size").stderr
    assert shown(here("kbs", "delete", kb, "--yes", "-o", "json"))["task_type"] == "kb_deletion"


def test_a_schedule_is_made_changed_run_and_deleted(here: Run, tmp_path: Path) -> None:
    kb = f"schedules-{uuid.uuid4()}"
    task = tmp_path / "task.json"
    task.write_text(json.dumps({"task_type": "test", "kb_id": kb}))
    asked = ("--cron", "30 2 * * *", "--timezone", "Europe/Berlin", "--name", "nightly", "--catch-up", "all")
    made = shown(here("schedules", "create", *asked, "--task", f"@{task}", "-o", "json"))
    of = made["schedule_id"]
    assert (made["name"], made["catch_up"], made["task"]["task_type"]) == ("nightly", "all", "test")
    listed = here("schedules", "list", "--kb-id", kb, "-o", "jsonl", "--fields", "schedule_id").stdout.splitlines()
    assert [json.loads(line) for line in listed] == [{"schedule_id": of}]
    assert here("schedules", "list", "--kb-id", "nowhere").stderr == "tm: there is no schedule of nowhere\n"
    changed = here("schedules", "change", of, "--cron", "0 3 * * *", "--timezone", "UTC")
    assert changed.stdout.startswith(f"{of}: changed; due at ")
    assert ("T03:00:00Z" in changed.stdout, changed.returncode) == (True, 0)
    assert shown(here("schedules", "pause", of, "-o", "json"))["paused_at"] is not None
    assert shown(here("schedules", "resume", of, "-o", "json"))["paused_at"] is None
    assert shown(here("schedules", "run", of, "-o", "json"))["task_type"] == "test"
    assert shown(here("schedules", "delete", of, "--yes", "-o", "json")) == {"schedule_id": of, "deleted": True}
    for arguments, said in (
        (["create", "--cron", "* * * * *"], "create needs --task"),
        (["change", of], "needs what is to change"),
        (["create", "--cron", "* * * * *", "--task", "[]"], "--task is no JSON object"),
        (["create", "--cron", "* * * * *", "--task", "{"], "--task is no JSON: "),
        (["create", "--cron", "* * * * *", "--task", "@/none"], "--task @/none cannot be read"),
        (["pause"], "pause needs ID"),
        (["run", of, "--cron", "* * * * *"], "run takes no --cron"),
    ):
        done = here("schedules", *arguments)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_what_is_submitted_is_shown_as_rest_shows_it(here: Run, tmp_path: Path) -> None:
    kb = f"submit-{uuid.uuid4()}"
    (tmp_path / "a.txt").write_text("Tea.")
    (tmp_path / "b.txt").touch()
    accepted = shown(here("submit", tmp_path / "a.txt", "--kb", kb, "-o", "json"))
    assert [(row["source"], row["task_type"]) for row in accepted] == [("a.txt", "document_processing")]
    asked = ("submit", "-r", tmp_path, "--kb", kb, "--wait", "--force")
    done = here(*asked, "-o", "jsonl", "--fields", "source,status,error.code")
    rows = {row["source"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 1
    assert rows == {
        "a.txt": {"source": "a.txt", "status": "completed", "error.code": None},
        "b.txt": {"source": "b.txt", "status": "failed", "error.code": "empty"},
    }
    table = here(*asked, "--fields", "source,status").stdout.splitlines()
    assert [line.split() for line in table] == [["source", "status"], ["a.txt", "completed"], ["b.txt", "failed"]]
    refused = here("submit", tmp_path / "a.txt", "--kb", "k" * 300, "-o", "json")
    (row,) = json.loads(refused.stdout)
    assert (refused.returncode, row["status"]) == (2, "refused")
    assert row["detail"].startswith("kb_id: ")


def test_operators_are_shown_json_as_well(here: Run) -> None:
    assert shown(here("queues", "pause", "callback", "--reason", "a test", "-o", "json"))["paused"] is True
    assert here("queues", "resume", "callback", "--fields", "queue,paused").stdout == "queue   callback\npaused  no\n"
    assert shown(here("callbacks", "redeliver", "--kb-id", "nowhere", "-o", "json"))["count"] == 0
    findings = shown(here("doctor", "-o", "json"))
    assert {"address", "key", "database", "workers"} <= {finding["name"] for finding in findings}
    assert all(finding["good"] and finding["remedy"] is None for finding in findings), findings
    ill = here("doctor", "-o", "jsonl", "--fields", "name,good", TM_API_KEY="wrong")
    assert (ill.returncode, json.loads(ill.stdout.splitlines()[1])) == (1, {"name": "key", "good": False})


def of_verb(name: str, whole: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The parser of a verb, of that of the whole command line."""
    (verbs,) = [action for action in whole._actions if isinstance(action, argparse._SubParsersAction)]
    verb: argparse.ArgumentParser = verbs.choices[name]
    return verb


def options_of(name: str) -> set[str]:
    """The options of a verb, by their names in REST."""
    return {
        option[2:].replace("-", "_")
        for action in of_verb(name, parser())._actions
        for option in action.option_strings
        if option.startswith("--")
    }


def test_what_rest_takes_tm_takes() -> None:
    assert DocumentsQuery.model_fields.keys() - {"cursor"} <= options_of("documents")
    # A filter is said by its fields.
    wanted = SearchRequest.model_fields.keys() - {"query", "filter"} | {"document", "metadata"}
    assert wanted <= options_of("search")
    assert KbChange.model_fields.keys() == set(KB_SETTINGS) <= options_of("kbs")
    assert BatchFilter.model_fields.keys() <= options_of("batches")
    assert {*NewSchedule.model_fields, *ScheduleChange.model_fields} <= options_of("schedules")


@pytest.mark.parametrize(
    ("line", "dest", "value"),
    [
        ("kbs get -o json handbook", "name", "handbook"),
        ("documents delete --kb handbook tea.md", "name", "tea.md"),
        ("documents --kb handbook get tea.md -o json", "name", "tea.md"),
        ("queues pause --reason tests callback", "name", "callback"),
        ("cancel a -o json b c", "ids", ["a", "b", "c"]),
        ("submit a --kb handbook b --wait", "sources", ["a", "b"]),
        ("watch -o json a", "id", "a"),
    ],
)
def test_options_may_stand_anywhere(line: str, dest: str, value: str | list[str]) -> None:
    assert getattr(parser().parse_args(line.split()), dest) == value


@pytest.mark.parametrize(
    "line",
    [
        "kbs get a -o json b",
        "documents get --kb handbook a b",
        "queues pause --reasons tests callback",
        "get a -o json b",
        "audit a",
        "doctor a",
    ],
)
def test_what_nothing_takes_is_refused(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        parser().parse_args(line.split())
    assert f"usage: tm {line.partition(' ')[0]} " in capsys.readouterr().err


def test_every_verb_takes_a_form_and_fields() -> None:
    (verbs,) = [action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)]
    for name, verb in verbs.choices.items():
        # A shell evaluates what `completion` prints.
        if name != "completion":
            options = {option for action in verb._actions for option in action.option_strings}
            assert {"-o", "--output", "--fields"} <= options, name
