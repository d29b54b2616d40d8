"""The pages over HTTP and in one browser, on one deployment for all the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.api.conftest import client, idle, idle_client, kb_id, running
from tests.dashboard.browser import NARROW, WIDE, People, Person, launch
from tests.processes import Deployment

__all__ = ["client", "idle", "idle_client", "kb_id", "running"]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The one browser."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def _people(chromium: Browser, running: Deployment) -> Iterator[People]:
    with ExitStack() as stack:
        yield People(chromium, running.url, stack)


@pytest.fixture
def people(_people: People) -> Iterator[People]:
    """Whoever looks at the service; their windows stay open from test to test."""
    yield _people
    _people.leave()


@pytest.fixture
def visitor(people: People) -> Person:
    """Somebody who reads English at a desk."""
    return people.of("en", WIDE)


@pytest.fixture
def everybody(people: People) -> list[Person]:
    """Somebody of either language, at a desk and on a phone: what is slow is begun by all before one waits for it."""
    return [people.of(language, width) for language in ("en", "zh-CN") for width in (WIDE, NARROW)]
