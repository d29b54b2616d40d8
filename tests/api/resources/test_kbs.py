"""KBs over HTTP: what there is, and what each holds."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from documents.storing import kbs
from documents.storing.vector_index import EXACT
from models import database, kb
from models.base import FIRST_ID
from models.statement import Statement
from tasks.views import kbs as tasks_of_kbs
from tests.api.conftest import Client, bad_fields, is_problem
from tests.postgres import Postgres

KBS = "/api/v1/kbs"
TEXT = "Green tea is brewed at eighty degrees.\n\n" * 20


def test_a_kb_shows_what_it_holds(client: Client, kb_id: str) -> None:
    first = client.take_in(kb_id, TEXT, "a", chunk_size=100)
    client.take_in(kb_id, "Black tea.", "b")
    shown = client.http.get(f"{KBS}/{kb_id}").json()
    chunks = first["result"]["chunks"] + 1
    assert chunks > 5
    assert (shown["kb_id"], shown["documents"], shown["chunks"]) == (kb_id, 2, chunks)
    assert shown["bytes"] == len(TEXT) + len("Black tea.")
    assert shown["embedder"] == client.http.get(f"{KBS}/{kb_id}/documents/b").json()["embedder"]
    assert (shown["tokens_embedded"], shown["estimated_cost"]) == (0, 0.0)
    assert shown["index"] == {"state": "exact", "chunks": 0}
    assert shown["tasks"] == {"waiting": 0, "queued": 0, "processing": 0, "failed": 0}
    assert shown["at_least"] == []
    assert shown["created_at"] < shown["updated_at"]
    assert shown["updated_at"] == client.http.get(f"{KBS}/{kb_id}/documents/b").json()["updated_at"]


def test_a_new_version_counts_in_place_of_the_one_before(client: Client, kb_id: str) -> None:
    client.take_in(kb_id, TEXT, "a")
    client.take_in(kb_id, "Black tea.", "a")
    shown = client.http.get(f"{KBS}/{kb_id}").json()
    assert (shown["documents"], shown["chunks"], shown["bytes"]) == (1, 1, len("Black tea."))


def test_a_kb_is_there_while_tasks_of_it_are_open_or_have_failed(
    client: Client, idle_client: Client, kb_id: str
) -> None:
    for idle in range(1, 3):
        idle_client.submit(task_type="document_processing", kb_id=kb_id, payload={"content": "x" * idle})
    assert idle_client.http.get(f"{KBS}/{kb_id}").json()["tasks"]["queued"] == 2
    client.ended(client.upload(kb_id, b"", "empty.txt").json()["task_id"])
    shown = client.http.get(f"{KBS}/{kb_id}").json()
    assert (shown["documents"], shown["embedder"], shown["tasks"]["failed"]) == (0, None, 1)
    assert kb_id in {item["kb_id"] for item in pages(client)}


def test_a_kb_that_only_ended_tasks_name_is_none(client: Client, kb_id: str) -> None:
    client.take_in(kb_id, TEXT, "a")
    assert client.http.delete(f"{KBS}/{kb_id}/documents/a").status_code == 204
    is_problem(client.http.get(f"{KBS}/{kb_id}"), 404)
    assert kb_id not in {item["kb_id"] for item in pages(client)}
    is_problem(client.http.get(f"{KBS}/{kb_id}x"), 404)


def pages(client: Client, limit: int = 100, **filter: str) -> list[dict[str, Any]]:
    """Every KB of a filter, by pages of some length."""
    items: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": limit, **filter}
    while True:
        page = client.http.get(KBS, params=query).json()
        assert len(page["items"]) <= limit
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        query["cursor"] = page["next_cursor"]


def test_pages_of_kbs_hold_each_once(client: Client, kb_id: str) -> None:
    # In upper and lower case and beyond ASCII, whose order differs between collations.
    mine = [f"{kb_id}{name}" for name in ("", "-A", "-a", "-B", "茶", "_", " ")]
    for position, name in enumerate(mine):
        if position % 2:
            client.take_in(name, "Green tea.", "a")
        else:
            client.ended(client.upload(name, b"", "empty.txt").json()["task_id"])
    names = [item["kb_id"] for item in pages(client, limit=2)]
    assert sorted(name for name in names if name.startswith(kb_id)) == sorted(mine)
    assert len(names) == len(set(names))
    assert [item["kb_id"] for item in pages(client, limit=2, prefix=kb_id)] == [name for name in names if name in mine]
    failed = [item["kb_id"] for item in pages(client, prefix=kb_id, task_status="failed")]
    assert sorted(failed) == sorted(mine[::2])
    assert pages(client, prefix=kb_id, task_status="queued") == []
    assert pages(client, prefix=f"{kb_id}%") == []
    one = next(item for item in pages(client) if item["kb_id"] == mine[1])
    assert one == client.http.get(f"{KBS}/{mine[1]}").json()


def test_bad_parameters_are_named(client: Client) -> None:
    assert bad_fields(client.http.get(KBS, params={"limit": 101, "colour": "red"})) == {"limit", "colour"}
    assert bad_fields(client.http.get(KBS, params={"cursor": "!!"})) == {"cursor"}
    assert bad_fields(client.http.get(KBS, params={"task_status": "completed"})) == {"task_status"}


@pytest.fixture(scope="module")
def large(postgres: Postgres) -> Any:
    """A database with a KB of 3,000 documents beside others, most of its tasks ended, and one that is waiting."""
    with postgres.database() as url:
        engine = database.connect(url, pool_size=1, application_name="test")
        with engine.begin() as opened:
            opened.exec_driver_sql("""
                INSERT INTO versions (id, kb_id, document_id, format, sha256, size, characters, text, anchors)
                SELECT gen_random_uuid(), 'kb' || n %% 2, n::text, 'text', '', 7, 1, repeat('x', 1000), '[]'
                  FROM generate_series(1, 6000) AS n;
                INSERT INTO documents (kb_id, document_id, version_id, embedder, chunks, tokens, bytes, tokens_embedded)
                SELECT kb_id, document_id, id, 'local:x:8', 400, 1, CASE WHEN document_id <> '10' THEN 7 END, 3
                  FROM versions;
                INSERT INTO tasks (id, task_type, kb_id, priority, payload, retry_limit, timeout, stage, queue, status)
                SELECT gen_random_uuid(), 'test', 'kb' || n %% 2, 4, '{}', 1, 1, 'test', 'default',
                       CASE WHEN n <= 20 THEN 'queued' ELSE 'completed' END
                  FROM generate_series(1, 20000) AS n;
            """)
            opened.exec_driver_sql("ANALYZE")
        yield engine
        database.disconnect()


def test_the_sums_of_a_large_kb_are_right(large: Any) -> None:
    with database.transaction() as session:
        sums = kbs.sums(session, ["kb0", "none"], 100_000)
        assert set(sums) == {"kb0"}
        large_kb = sums["kb0"]
        assert (large_kb.documents, large_kb.chunks, large_kb.bytes, large_kb.tokens_embedded) == (
            3000,
            1_200_000,
            21_000,
            9000,
        )
        assert (large_kb.index, large_kb.indexed) == ("behind", 0)
        assert large_kb.chunks > EXACT
        assert kbs.sums(session, ["kb0"], 100)["kb0"].documents == 100


def rows_read(session: Session, statement: TextClause | Statement[Any], values: dict[str, Any]) -> int:
    """How many rows of tables and indexes a statement looks at."""
    explained = session.execute(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.text}"), values).scalar_one()

    def of(plan: dict[str, Any]) -> int:
        own = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) if "Scan" in plan["Node Type"] else 0
        return int(own * plan["Actual Loops"]) + sum(map(of, plan.get("Plans", [])))

    return of(explained[0]["Plan"])


def test_what_is_looked_at_is_bounded_whatever_there_is(large: Any) -> None:
    with database.transaction() as session:
        assert rows_read(session, kb.NAMED, {"after": "", "limit": 10, "prefix": None, "task_status": None}) < 40
        # However many of its tasks have ended, and however many there are of the status.
        assert rows_read(session, kb.NAMED, {"after": "", "limit": 10, "prefix": "kb", "task_status": "queued"}) < 60
        sums: dict[str, Any] = {"kb_ids": ["kb0", "none"], "most": 100_000}
        # Each document of the KB, and one version; twice, since a bitmap is read in two steps.
        assert rows_read(session, kbs._SUMS, sums) <= 2 * 3000 + 10
        assert rows_read(session, kbs._SUMS, sums | {"most": 100}) <= 2 * 100 + 10
        counts: dict[str, Any] = {"kb_ids": ["kb0"], "since": [FIRST_ID], "failed": "failed"}
        counts |= {"statuses": ["queued", "failed"], "most": 10_000}
        assert rows_read(session, tasks_of_kbs._COUNTS, counts) < 40
        assert rows_read(session, tasks_of_kbs._COUNTS, counts | {"most": 3}) < 20


def test_a_deleted_kb_is_gone_with_all_that_it_held(client: Client, kb_id: str) -> None:
    for name in ("a", "b"):
        client.take_in(kb_id, TEXT, name)
    client.ended(client.upload(kb_id, b"", "empty.txt").json()["task_id"])
    assert client.http.patch(f"{KBS}/{kb_id}", json={"chunk_size": 300}).status_code == 200
    assert [item["kb_id"] for item in pages(client, prefix=kb_id, task_status="failed")] == [kb_id]
    answer = client.http.delete(f"{KBS}/{kb_id}")
    assert answer.status_code == 202
    task = client.ended(answer.json()["task_id"])
    assert (task["task_type"], task["status"], task["result"]["documents_left"]) == ("kb_deletion", "completed", 0)
    assert client.http.get(f"{KBS}/{kb_id}/documents").json()["items"] == []
    assert client.http.post(f"{KBS}/{kb_id}/search", json={"query": "green tea"}).json()["hits"] == []
    is_problem(client.http.get(f"{KBS}/{kb_id}"), 404)
    is_problem(client.http.delete(f"{KBS}/{kb_id}"), 404)
    assert client.sql("SELECT count(*) FROM chunks WHERE kb_id = %s", kb_id) == [(0,)]
    client.take_in(kb_id, "Black tea.", "a")
    assert client.http.get(f"{KBS}/{kb_id}").json()["documents"] == 1


def payload_of(client: Client, task_id: str) -> dict[str, Any]:
    payload: dict[str, Any] = client.http.get(f"/api/v1/tasks/{task_id}").json()["payload"]
    return {name: payload[name] for name in ("chunk_size", "chunk_overlap", "chunk_unit")}


def test_documents_inherit_what_is_set_for_their_kb(client: Client, kb_id: str) -> None:
    def submit(**payload: Any) -> dict[str, Any]:
        payload = {"content": "Green tea.", **payload}
        return payload_of(client, client.submit(task_type="document_processing", kb_id=kb_id, payload=payload))

    defaults = {"chunk_size": 1000, "chunk_overlap": 200, "chunk_unit": "characters"}
    assert submit() == defaults
    shown = client.http.patch(f"{KBS}/{kb_id}", json={"chunk_size": 300, "chunk_unit": "tokens"}).json()
    wanted = {"chunk_size": 300, "chunk_overlap": 60, "chunk_unit": "tokens"}
    assert {name: shown["settings"][name] for name in wanted} == wanted
    assert submit() == wanted
    tasks = [{"task_type": "document_processing", "kb_id": kb_id, "payload": {"content": "Green tea."}}]
    batch = client.http.post("/api/v1/tasks/batch", json={"tasks": tasks}).json()
    assert payload_of(client, batch["tasks"][0]["task_id"]) == wanted, "in a batch as well"
    assert payload_of(client, client.upload(kb_id, b"Green tea.", "a.txt").json()["task_id"]) == wanted
    assert submit(chunk_size=1000) == defaults, "what is said is not mixed with what is set"
    client.http.patch(f"{KBS}/{kb_id}", json={"chunk_size": 50})
    assert submit() == {"chunk_size": 50, "chunk_overlap": 10, "chunk_unit": "tokens"}
    taken_back = {"chunk_size": None, "chunk_overlap": None, "chunk_unit": None}
    assert client.http.patch(f"{KBS}/{kb_id}", json=taken_back).json()["settings"]["chunk_size"] is None
    assert submit() == defaults


def test_a_kb_that_only_has_settings_is_there(client: Client, kb_id: str) -> None:
    body = {"callback_url": "https://kb.example.com/x", "callback_secret": "whsec_c2VjcmV0"}
    shown = client.http.patch(f"{KBS}/{kb_id}", json=body).json()
    assert shown == client.http.get(f"{KBS}/{kb_id}").json()
    assert (shown["settings"]["callback_url"], shown["settings"]["has_callback_secret"]) == (body["callback_url"], True)
    assert "c2VjcmV0" not in str(shown)
    assert kb_id in {item["kb_id"] for item in pages(client)}
    task_id = client.submit(kb_id=kb_id)
    assert client.http.get(f"/api/v1/tasks/{task_id}").json()["callback_url"] == body["callback_url"]
    own = client.submit(kb_id=kb_id, callback_url="https://kb.example.com/own")
    assert client.http.get(f"/api/v1/tasks/{own}").json()["callback_url"] == "https://kb.example.com/own"


def test_a_kb_has_a_weight_which_is_1_unless_it_is_set(client: Client, kb_id: str) -> None:
    for weight, shown in ((3, 3), (None, 1), (100, 100), (1, 1)):
        answer = client.http.patch(f"{KBS}/{kb_id}", json={"weight": weight}).json()
        assert answer["settings"]["weight"] == shown
        assert client.http.get(f"{KBS}/{kb_id}").json() == answer
    for bad in (0, 101, 1.5, "heavy"):
        assert bad_fields(client.http.patch(f"{KBS}/{kb_id}", json={"weight": bad})) == {"weight"}


def test_settings_that_do_not_fit_are_named(client: Client, kb_id: str) -> None:
    def patch(**body: Any) -> set[str]:
        return bad_fields(client.http.patch(f"{KBS}/{kb_id}", json=body))

    assert patch(chunk_size=10, callback_secret="x", colour="red") == {"chunk_size", "callback_secret", "colour"}
    assert patch(chunk_size=100, chunk_overlap=100)
    assert patch(callback_url="ftp://x") == {"callback_url"}
    is_problem(client.http.get(f"{KBS}/{kb_id}"), 404)


def test_synonyms_of_a_kb_are_searched_by_from_the_next_search_on(client: Client, kb_id: str) -> None:
    client.take_in(kb_id, "The virtual private network asks for a token. 费用返还须在月底前提交。", "a")

    def find(query: str, mode: str) -> list[str]:
        answer = client.http.post(f"{KBS}/{kb_id}/search", json={"query": query, "mode": mode, "min_score": 0.2})
        return [hit["document_id"] for hit in answer.json()["hits"]]

    assert find("VPN", "text") == find("报销", "hybrid") == []
    groups = [["VPN", "virtual private network"], ["报销", " 费用返还 "]]
    shown = client.http.patch(f"{KBS}/{kb_id}", json={"synonyms": groups}).json()
    assert shown["settings"]["synonyms"] == [["VPN", "virtual private network"], ["报销", "费用返还"]]
    assert shown == client.http.get(f"{KBS}/{kb_id}").json()
    assert find("VPN", "text") == find("报销", "hybrid") == ["a"]
    client.http.patch(f"{KBS}/{kb_id}", json={"synonyms": None})
    assert client.http.get(f"{KBS}/{kb_id}").json()["settings"]["synonyms"] == []
    assert find("VPN", "text") == []


@pytest.mark.parametrize(
    ("groups", "field", "message"),
    [
        ([["VPN", "ｖｐｎ"]], "synonyms.0", "one term only"),
        ([["a", "b"], ["…", "dots"]], "synonyms.1.0", "no word and no number"),
        ([["x" * 65, "y"]], "synonyms.0.0", "at most 64 characters"),
        ([[f"a{n}" for n in range(21)]], "synonyms.0", "at most 20 entries"),
        ([["a", "b"]] * 501, "synonyms", "at most 500 entries"),
        ([[f"a{n}" for n in range(15)]] * 70, "synonyms", "contains 1,050 terms, and may contain 1,000"),
        ([["a\0", "b"]], "synonyms.0.0", "NUL"),
        ("VPN", "synonyms", "list"),
    ],
)
def test_synonyms_that_do_not_fit_are_named(
    client: Client, kb_id: str, groups: object, field: str, message: str
) -> None:
    problem = is_problem(client.http.patch(f"{KBS}/{kb_id}", json={"synonyms": groups}), 422)
    assert [error["field"] for error in problem["errors"]] == [field]
    assert message in problem["errors"][0]["message"]
    assert "字段" in problem["hint_zh"]


def test_the_embedder_of_a_kb_with_documents_is_not_changed_by_a_setting(client: Client, kb_id: str) -> None:
    client.take_in(kb_id, "Green tea.", "a")
    problem = is_problem(client.http.patch(f"{KBS}/{kb_id}", json={"embedder": "cohere"}), 409)
    assert "kb_reindex" in problem["detail"]
    assert client.http.patch(f"{KBS}/{kb_id}", json={"embedder": "local"}).status_code == 200
