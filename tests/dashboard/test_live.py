"""Streams of what changes on a page, which one task looks up for all."""

from __future__ import annotations

import asyncio

import logs
from dashboard import live
from tests import coroutines


def test_a_look_at_a_page_is_not_logged_as_a_request_of_its_first_viewer() -> None:
    async def look() -> object:
        seen: asyncio.Future[object] = asyncio.get_running_loop().create_future()

        async def render() -> str:
            seen.set_result(logs._about.get())
            return ""

        logs.set_about({"request_id": "of the first viewer"})
        shared = live._Shared(render)
        try:
            return await asyncio.wait_for(seen, 5)
        finally:
            shared.stop()

    assert coroutines.run(look()) == {}
