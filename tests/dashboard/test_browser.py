"""What people do in the pages, in a real browser: in both languages, on a desk and on a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect, sync_playwright

from tests.api.conftest import Client
from tests.dashboard.browser import NARROW, WIDE, launch, person
from tests.servers import eventually

Language = Literal["en", "zh-CN"]
EVERYBODY = pytest.mark.parametrize(
    ("language", "width"), [("en", WIDE), ("zh-CN", WIDE), ("en", NARROW), ("zh-CN", NARROW)]
)
FILES = [
    ["leave.md", "# Leave\n\nEverybody has thirty days of leave a year."],
    ["假期.txt", "每位员工每年有三十天假期。"],
]
#: What a browser does with files that are dropped onto an element.
DROP = """
    ([element, files]) => {
        const transfer = new DataTransfer();
        files.forEach(([name, text]) => transfer.items.add(new File([text], name)));
        element.dispatchEvent(new DragEvent("drop", {dataTransfer: transfer, bubbles: true, cancelable: true}));
    }
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@EVERYBODY
def test_files_are_dropped_and_a_sentence_of_them_is_found(
    chromium: Browser, client: Client, kb_id: str, language: Language, width: int
) -> None:
    with person(chromium, client.deployment.url, language, width) as visitor:
        page = visitor.page
        visitor.open(f"/kbs/{kb_id}")
        files = [
            ["leave.md", "# Leave\n\nEverybody has thirty days of leave a year."],
            ["假期.txt", "每位员工每年有三十天假期。"],
        ]
        page.evaluate(DROP, [page.query_selector("#drop"), files])
        expect(page.locator("#files li.completed")).to_have_count(2, timeout=60_000)
        # The list of documents changes by itself.
        expect(page.locator("#live").get_by_text("leave.md")).to_be_visible()
        page.locator("#search input").fill("thirty days of leave")
        page.locator("#search button").click()
        expect(page.locator(".hit").first).to_contain_text("thirty days of leave")
        expect(page.locator(".hit mark").first).to_be_visible()
        page.locator(".hit a").first.click()
        expect(page.locator(".chunk").first).to_contain_text("thirty days")


@EVERYBODY
def test_a_queue_is_paused_and_resumed(chromium: Browser, client: Client, language: Language, width: int) -> None:
    with person(chromium, client.deployment.url, language, width) as visitor:
        page = visitor.page
        visitor.open("/queues")
        row = page.locator("#queue-indexing")
        row.locator("button[data-method]").click()
        page.locator("#ask button[value=yes]").click()
        expect(row.locator(".status.paused")).to_be_visible()
        assert "indexing" in paused(client)
        row.locator("button[data-method]").click()
        expect(row.locator(".status.paused")).to_have_count(0)
        assert paused(client) == set()


def paused(client: Client) -> set[str]:
    return {queue for (queue,) in client.sql("SELECT queue FROM paused_queues")}


def test_who_decides_otherwise_has_done_nothing(chromium: Browser, client: Client) -> None:
    with person(chromium, client.deployment.url) as visitor:
        visitor.open("/queues")
        visitor.page.locator("#queue-storing button[data-method]").click()
        visitor.page.locator("#ask button[value=no]").click()
        expect(visitor.page.locator("#ask")).to_be_hidden()
        assert "storing" not in paused(client)


def test_a_task_moves_without_reloading_and_can_be_cancelled(chromium: Browser, client: Client, kb_id: str) -> None:
    task = client.submit(task_type="benchmark", kb_id=kb_id, payload={"seconds": 20})
    with person(chromium, client.deployment.url) as visitor:
        page = visitor.page
        visitor.open(f"/tasks/{task}")
        expect(page.locator("#live > p .status.processing")).to_be_visible()
        page.evaluate("window.notReloaded = true")
        page.locator("button[data-method=DELETE]").click()
        page.locator("#ask button[value=yes]").click()
        expect(page.locator("#live > p .status.cancelled")).to_be_visible()
        assert page.evaluate("window.notReloaded")
    assert client.ended(task)["status"] == "cancelled"


def test_updates_can_be_paused(chromium: Browser, client: Client, kb_id: str) -> None:
    with person(chromium, client.deployment.url) as visitor:
        page = visitor.page
        visitor.open(f"/kbs/{kb_id}")
        page.locator("#pause").click()
        client.take_in(kb_id, "It came while nothing was to move.", "late")
        page.wait_for_timeout(4000)
        expect(page.locator("#live").get_by_text("late")).to_have_count(0)
        page.locator("#pause").click()
        client.take_in(kb_id, "And one more.", "later")
        expect(page.locator("#live").get_by_text("later")).to_be_visible()


def test_keys_lead_to_pages(chromium: Browser, client: Client) -> None:
    with person(chromium, client.deployment.url) as visitor:
        page = visitor.page
        visitor.open("/queues")
        page.keyboard.press("?")
        expect(page.locator("#keys")).to_be_visible()
        page.keyboard.press("Escape")
        page.keyboard.press("g")
        page.keyboard.press("t")
        expect(page).to_have_url(re.compile("/tasks$"))


def test_a_command_for_a_terminal_stands_beside_each_action(chromium: Browser, client: Client, tmp_path: Path) -> None:
    with person(chromium, client.deployment.url) as visitor:
        visitor.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        visitor.open("/queues")
        visitor.page.locator("#queue-default button.curl").click()
        told = visitor.page.locator("#toasts > div").first.text_content() or ""
    assert f'curl -X POST -H "Authorization: Bearer $API_KEY" \'{client.deployment.url}' in told
    assert told.endswith("/api/v1/queues/default/pause'")


def test_times_are_those_of_the_viewer_and_utc_on_hover(chromium: Browser, client: Client, kb_id: str) -> None:
    client.ended(client.submit(kb_id=kb_id))
    with person(chromium, client.deployment.url) as visitor:
        visitor.open(f"/tasks?kb_id={kb_id}")
        shown = visitor.page.locator("#live time").first
        assert (shown.get_attribute("title") or "").endswith(" UTC")
        eventually(lambda: shown.text_content() != (shown.get_attribute("title") or "")[:-4], reason="it is rewritten")


@pytest.mark.parametrize("theme", ["light", "dark"])
@EVERYBODY
def test_every_page_fits_the_screen_and_breaks_no_rule(
    chromium: Browser, client: Client, kb_id: str, language: Language, width: int, theme: Literal["light", "dark"]
) -> None:
    task = client.take_in(
        kb_id, "A text of a page that is looked at. 看一看这一页。" * 40, "a/long/path/of/a/document.txt"
    )
    with person(chromium, client.deployment.url, language, width, theme) as visitor:
        links = visitor.page.locator("header nav a")
        visitor.open("/")
        paths = [links.nth(index).get_attribute("href") or "" for index in range(links.count())]
        own = [
            f"/tasks/{task['task_id']}",
            f"/kbs/{kb_id}",
            f"/kbs/{kb_id}/documents/a%2Flong%2Fpath%2Fof%2Fa%2Fdocument.txt",
        ]
        for path in [*paths, *own, "/sign-in"]:
            visitor.open(path)
            expect(visitor.page.locator("h1")).to_be_visible()
            if (language == "en") == (width == WIDE):
                found = Axe().run(visitor.page).response["violations"]
                assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == [], path


def test_a_newcomer_takes_in_the_samples_and_finds_something(chromium: Browser, client: Client, kb_id: str) -> None:
    with person(chromium, client.deployment.url, "zh-CN") as visitor:
        page = visitor.page
        visitor.open("/")
        visitor.open(f"/kbs/{kb_id}")
        page.locator("#samples").click()
        expect(page.locator("#files li.completed")).to_have_count(3, timeout=60_000)
        page.locator("#search input").fill("特级绿茶用多少度的水冲泡？")
        page.locator("#search button").click()
        expect(page.locator(".hit a").first).to_have_text("tea-garden.txt")


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_what_failed_is_found_by_its_code_retried_together_and_that_is_undone(
    chromium: Browser, client: Client, kb_id: str, language: Language
) -> None:
    empty = {"task_type": "document_processing", "kb_id": kb_id}
    failed = [client.submit(**empty, payload={"content": " ", "document_id": name}) for name in "ab"]
    assert {client.ended(task)["error"]["code"] for task in failed} == {"empty"}
    with person(chromium, client.deployment.url, language) as visitor:
        page = visitor.page
        visitor.open(f"/errors?kb_id={kb_id}")
        row = page.locator("#error-1")
        expect(row).to_contain_text("empty")
        row.locator("a").first.click()
        page.goto(f"{client.deployment.url}/tasks?status=failed&error_code=empty&kb_id={kb_id}")
        expect(page.locator("#live tbody tr")).to_have_count(2)
        page.locator(".actions button[data-path$='/tasks/retry']").click()
        expect(page.locator("#ask .body")).to_contain_text("2")
        page.locator("#ask button[value=yes]").click()
        page.locator("#toasts a").click()
        expect(page.locator("#live > p .status.completed")).to_be_visible(timeout=30_000)
        page.locator("button[data-path$='/undo']").click()
        page.locator("#ask button[value=yes]").click()
        eventually(lambda: len(bulks(client, kb_id)) == 2, reason="the undo is a task as well")


def bulks(client: Client, kb_id: str) -> list[str]:
    query = "SELECT id::text FROM tasks WHERE task_type = 'bulk' AND kb_id = %s AND status = 'completed'"
    return [task_id for (task_id,) in client.sql(query, kb_id)]


def test_a_person_is_told_why_a_task_waits(chromium: Browser, client: Client, kb_id: str) -> None:
    later = client.submit(kb_id=kb_id, run_at="2099-01-01T00:00:00Z")
    behind = client.submit(kb_id=kb_id, depends_on=[later])
    client.http.post("/api/v1/queues/default/pause", json={"reason": "a test"})
    held = client.submit(kb_id=kb_id)
    try:
        with person(chromium, client.deployment.url) as visitor:
            for task, reason in ((later, "scheduled"), (behind, "depends"), (held, "paused")):
                visitor.open(f"/tasks/{task}")
                expect(visitor.page.locator("#why code").first).to_have_text(reason)
    finally:
        client.http.post("/api/v1/queues/default/resume")
    client.ended(held)


def test_a_callback_is_delivered_again(chromium: Browser, client: Client, kb_id: str) -> None:
    # Nobody is there; a private address would be refused, and a refusal is final as well.
    task = client.submit(kb_id=kb_id, callback_url="http://127.0.0.1:9/nobody")
    client.ended(task)
    state = "SELECT jsonb_array_length(log), status FROM callbacks WHERE task_id = %s"
    eventually(lambda: client.sql(state, task) == [(1, "failed")], reason="it was given up")
    with person(chromium, client.deployment.url) as visitor:
        visitor.open(f"/callbacks?kb_id={kb_id}")
        row = visitor.page.locator("#live tbody tr")
        expect(row.locator(".status.failed")).to_be_visible()
        row.locator("button[data-path$='/redeliver']").click()
        expect(visitor.page.locator("#toasts > div")).to_be_visible()
    eventually(lambda: client.sql(state, task) == [(2, "failed")], reason="it was tried again")
