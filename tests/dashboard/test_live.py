"""Streams of what changes on a page, which one task looks up for all."""

from __future__ import annotations

import asyncio
import itertools
import re

import pytest

import logs
from dashboard import live
from tests import coroutines


def test_a_look_at_a_page_is_not_logged_as_a_request_of_its_first_viewer() -> None:
    async def look() -> object:
        seen: asyncio.Future[object] = asyncio.get_running_loop().create_future()

        async def render() -> live.Look:
            seen.set_result(logs._about.get())
            return live.Look("", None)

        logs.set_about({"request_id": "of the first viewer"})
        shared = live._Shared(render)
        try:
            return await asyncio.wait_for(seen, 5)
        finally:
            shared.stop()

    assert coroutines.run(look()) == {}


def test_what_has_only_grown_older_is_not_sent_again_but_its_age_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "EVERY", 0.01)
    monkeypatch.setattr(live, "TOLD_EVERY", 0.2)
    looks, shown = itertools.count(), ["<p>one</p>"]

    async def render() -> live.Look:
        return live.Look(shown[-1], f"moment {next(looks)}")

    async def come() -> tuple[bytes, ...]:
        stream = live.changes("key", render, "somebody")
        first, then = await anext(stream), await anext(stream)
        shown.append("<p>two</p>")
        last = await anext(stream)
        assert first is not None
        assert then is not None
        assert last is not None
        return first.serialize(), then.serialize(), last.serialize()

    first, then, last = coroutines.run(come())
    assert first == b"id: moment 0\ndata: <p>one</p>\n\n"
    assert re.fullmatch(rb"event: unchanged\nid: moment [1-9]\d*\n\n", then), "it was looked at again"
    assert last.endswith(b"\ndata: <p>two</p>\n\n")
