"""What stands around a hit, and hits that touch."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Client, bad_fields

#: Each paragraph is a chunk, which overlaps the one before where the payload says so.
PARAGRAPHS = [
    "Green tea comes from the hills of the south, where the mornings are cool.",
    "The leaves are picked by hand before the rains of spring set in there.",
    "They are steamed at once, rolled, and dried slowly over a charcoal fire.",
    "Water of eighty degrees is poured over them, and two minutes are enough.",
    "A second cup of the same leaves is thought by many to be the better one.",
    "In the evening a roasted tea is drunk, which keeps nobody from sleeping.",
]


@pytest.fixture(scope="module")
def tea(running: Any) -> Client:
    """Two KBs with the document `tea`: of chunks that overlap, and of chunks that do not."""
    client = Client(running)
    for kb_id, overlap in (("apart", 0), ("overlapping", 40)):
        text = "\n\n".join(PARAGRAPHS)
        client.take_in(kb_id, text, "tea", chunk_size=120, chunk_overlap=overlap, content_type="text/plain")
    return client


def hits(client: Client, kb_id: str, query: str, **more: Any) -> list[dict[str, Any]]:
    """What a search by words finds."""
    answer = client.http.post(f"/api/v1/kbs/{kb_id}/search", json={"query": query, "mode": "text", **more})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["hits"]
    return items


def chunks(client: Client, kb_id: str) -> list[dict[str, Any]]:
    """The chunks of the document, in the order of its text."""
    items: list[dict[str, Any]] = client.http.get(f"/api/v1/kbs/{kb_id}/documents/tea/chunks").json()["items"]
    for chunk in items:
        del chunk["index"]
    assert len(items) >= 6
    return items


@pytest.mark.parametrize("kb_id", ["apart", "overlapping"])
@pytest.mark.parametrize("around", [0, 1, 2, 10])
def test_neighbours_are_the_chunks_on_both_sides(tea: Client, kb_id: str, around: int) -> None:
    every = chunks(tea, kb_id)
    (hit, *_) = hits(tea, kb_id, "charcoal", around=around)
    at = [chunk["chunk_id"] for chunk in every].index(hit["chunk_id"])
    assert hit["before"] == every[max(0, at - around) : at]
    assert hit["after"] == every[at + 1 : at + 1 + around]
    assert hit["chunk_ids"] == [hit["chunk_id"]]


@pytest.mark.parametrize("kb_id", ["apart", "overlapping"])
def test_hits_that_touch_become_one_where_asked(tea: Client, kb_id: str) -> None:
    every = chunks(tea, kb_id)
    query = "rains steamed"
    apart = hits(tea, kb_id, query)
    (joined,) = hits(tea, kb_id, query, join=True)
    assert len(apart) >= 2
    text = tea.http.get(f"/api/v1/kbs/{kb_id}/documents/tea/text").content.decode()
    assert text[joined["start"] : joined["end"]] == joined["text"]
    assert (joined["start"], joined["end"]) == (
        min(hit["start"] for hit in apart),
        max(hit["end"] for hit in apart),
    )
    assert set(joined["chunk_ids"]) == {hit["chunk_id"] for hit in apart}
    assert joined["chunk_ids"] == [chunk["chunk_id"] for chunk in every if chunk["chunk_id"] in joined["chunk_ids"]]
    assert (joined["chunk_id"], joined["score"]) == (apart[0]["chunk_id"], apart[0]["score"])
    assert [joined["text"][mark["start"] : mark["end"]] for mark in joined["highlights"]] == ["rains", "steamed"]


def test_hits_between_which_all_is_shown_become_one(tea: Client) -> None:
    """The first and the third paragraph: between them is one that is a neighbour of both."""
    query = "hills charcoal"
    assert [len(hit["chunk_ids"]) for hit in hits(tea, "apart", query, join=True)] == [1, 1]
    (joined,) = hits(tea, "apart", query, join=True, around=1)
    every = [chunk["chunk_id"] for chunk in chunks(tea, "apart")]
    assert joined["chunk_ids"] == every[:3]
    assert PARAGRAPHS[1] in joined["text"]
    assert (joined["before"], [chunk["chunk_id"] for chunk in joined["after"]]) == ([], every[3:4])


def test_one_document_gives_no_more_hits_than_was_asked_for(tea: Client) -> None:
    assert len(hits(tea, "apart", "tea leaves the")) > 2
    assert len(hits(tea, "apart", "tea leaves the", per_document=2)) == 2


def test_what_is_shown_of_hits_is_bounded(tea: Client) -> None:
    body = {"query": "tea", "around": 11, "per_document": 0, "join": "maybe"}
    answer = tea.http.post("/api/v1/kbs/apart/search", json=body)
    assert bad_fields(answer) == {"around", "per_document", "join"}
