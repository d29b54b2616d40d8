"""What people do in the pages, in a real browser: in both languages, on a desk and on a phone."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import uuid4

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.api.conftest import Client
from tests.dashboard.browser import NARROW, WIDE, Language, People, Person, Theme, person
from tests.processes import EmbeddedDeployment
from tests.servers import eventually

#: A folder, as somebody has it; what is dropped is named by its path from the folder on.
FOLDER = {
    "rules/leave.md": "# Leave\n\nEverybody has thirty days of leave a year.",
    "rules/china/假期.txt": "每位员工每年有三十天假期。",
}
#: Rules of accessibility that have to do with colours.
COLOURS = {"runOnly": ["color-contrast"]}
OTHER: dict[Theme, Theme] = {"light": "dark", "dark": "light"}


def drop(visitor: Person, path: Path) -> None:
    """Let go of a file or folder over the page, as the browser itself sees it."""
    visitor.page.locator("#drop").scroll_into_view_if_needed()
    box = visitor.page.locator("#drop").bounding_box()
    assert box is not None
    session = visitor.page.context.new_cdp_session(visitor.page)
    place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + 10}
    for kind in ("dragEnter", "dragOver", "drop"):
        data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
        session.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})


def test_a_folder_is_dropped_and_a_sentence_of_it_is_found(everybody: list[Person], tmp_path: Path) -> None:
    for name, text in FOLDER.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for visitor in everybody:
        visitor.open(f"/kbs/kb-{uuid4()}")
        drop(visitor, tmp_path / "rules")
    for visitor in everybody:
        page = visitor.page
        expect(page.locator("#files li.completed")).to_have_count(2, timeout=60_000)
        # The list of documents changes by itself.
        expect(page.locator("#live").get_by_text("rules/leave.md")).to_be_visible()
        page.locator("#search input").fill("thirty days of leave")
        page.locator("#search button").click()
        expect(page.locator(".hit").first).to_contain_text("thirty days of leave")
        expect(page.locator(".hit mark").first).to_be_visible()
        page.locator(".hit a").first.click()
        expect(page.locator(".chunk").first).to_contain_text("thirty days")


def test_a_queue_is_paused_and_resumed(everybody: list[Person], client: Client) -> None:
    for visitor in everybody:
        visitor.open("/queues")
        row = visitor.page.locator("#queue-indexing")
        visitor.press(row.locator("button[data-method]"))
        visitor.page.locator("#ask input").fill("a disk is changed")
        visitor.page.locator("#ask button[value=yes]").click()
        expect(row.locator(".status.paused")).to_be_visible()
        expect(row).to_contain_text("a disk is changed")
        assert "indexing" in paused(client)
        visitor.press(row.locator("button[data-method]"))
        expect(row.locator(".status.paused")).to_have_count(0)
        assert paused(client) == set()


def paused(client: Client) -> set[str]:
    return {queue for (queue,) in client.sql("SELECT queue FROM paused_queues")}


def test_who_decides_otherwise_has_done_nothing(visitor: Person, client: Client) -> None:
    visitor.open("/queues")
    visitor.page.locator("#queue-storing button[data-method]").click()
    visitor.page.locator("#ask button[value=no]").click()
    expect(visitor.page.locator("#ask")).to_be_hidden()
    assert "storing" not in paused(client)


def test_the_stages_of_a_document_move_without_reloading(everybody: list[Person], client: Client, kb_id: str) -> None:
    client.http.post("/api/v1/queues/indexing/pause")
    try:
        payload = {"content": "A text whose stages are looked at.", "document_id": "d"}
        task = client.submit(task_type="document_processing", kb_id=kb_id, payload=payload)
        for visitor in everybody:
            visitor.open(f"/tasks/{task}")
            visitor.page.evaluate("window.notReloaded = true")
        for visitor in everybody:
            expect(visitor.page.locator("#stage-storing .status.completed")).to_be_visible()
            expect(visitor.page.locator("#stage-indexing .status.completed")).to_have_count(0)
            expect(visitor.page.locator("#why code").first).to_have_text("paused")
    finally:
        client.http.post("/api/v1/queues/indexing/resume")
    for visitor in everybody:
        expect(visitor.page.locator("#stage-indexing .status.completed")).to_be_visible()
        expect(visitor.page.locator("#live > p .status.completed")).to_be_visible()
        assert visitor.page.evaluate("window.notReloaded")


def test_a_task_that_runs_is_cancelled(visitor: Person, client: Client, kb_id: str) -> None:
    task = client.submit(task_type="benchmark", kb_id=kb_id, payload={"seconds": 20})
    visitor.open(f"/tasks/{task}")
    expect(visitor.page.locator("#live > p .status.processing")).to_be_visible()
    visitor.press(visitor.page.locator("button[data-method=DELETE]"), sure=True)
    expect(visitor.page.locator("#live > p .status.cancelled")).to_be_visible()
    assert client.ended(task)["status"] == "cancelled"


def test_updates_can_be_paused(visitor: Person, client: Client, kb_id: str) -> None:
    page = visitor.page
    visitor.open(f"/kbs/{kb_id}")
    page.locator("#pause").click()
    client.take_in(kb_id, "It came while nothing was to move.", "late")
    page.wait_for_timeout(3000)
    expect(page.locator("#live").get_by_text("late")).to_have_count(0)
    page.locator("#pause").click()
    client.take_in(kb_id, "And one more.", "later")
    expect(page.locator("#live").get_by_text("later").first).to_be_visible()


def test_a_row_changes_where_it_stands(visitor: Person, client: Client, kb_id: str) -> None:
    """What somebody points at is the same element afterwards, with the same task in it, and has the focus still."""
    client.http.post("/api/v1/queues/default/pause")
    try:
        first, second = client.submit(kb_id=kb_id), client.submit(kb_id=kb_id)
        visitor.open(f"/tasks?kb_id={kb_id}")
        rows = visitor.page.locator("#live tbody tr")
        rows.nth(1).locator("a").first.focus()
        visitor.page.evaluate("window.held = document.activeElement")
        before = [rows.nth(number).get_attribute("id") for number in range(2)]
        assert before == [f"task-{second}", f"task-{first}"]
    finally:
        client.http.post("/api/v1/queues/default/resume")
    expect(visitor.page.locator("#live .status.completed")).to_have_count(2)
    assert [rows.nth(number).get_attribute("id") for number in range(2)] == before
    assert visitor.page.evaluate("window.held.isConnected && document.activeElement === window.held")
    # What comes above it waits until the mouse has gone.
    rows.nth(1).hover()
    client.ended(client.submit(kb_id=kb_id))
    visitor.page.wait_for_timeout(3000)
    expect(rows).to_have_count(2)
    visitor.page.mouse.move(0, 0)
    expect(rows).to_have_count(3)


def test_keys_lead_to_pages(visitor: Person) -> None:
    page = visitor.page
    visitor.open("/queues")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("t")
    expect(page).to_have_url(re.compile("/tasks$"))


def test_a_command_for_a_terminal_stands_beside_each_action(visitor: Person) -> None:
    visitor.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor.open("/queues")
    buttons = visitor.page.locator("button[data-method]")
    expect(visitor.page.locator("button.curl")).to_have_count(buttons.count())
    visitor.page.locator("#queue-default button.curl").click()
    toast = visitor.page.locator("#toasts > div").first.text_content() or ""
    assert f'curl -X POST -H "Authorization: Bearer $API_KEY" \'{visitor.base}' in toast
    assert toast.endswith("/api/v1/queues/default/pause'")


def test_times_are_those_of_the_viewer_and_utc_on_hover(visitor: Person, client: Client, kb_id: str) -> None:
    client.ended(client.submit(kb_id=kb_id))
    visitor.open(f"/tasks?kb_id={kb_id}")
    shown = visitor.page.locator("#live time").first
    assert (shown.get_attribute("title") or "").endswith(" UTC")
    eventually(lambda: shown.text_content() != (shown.get_attribute("title") or "")[:-4], reason="it is rewritten")


@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("zh-CN", "dark")])
def test_every_page_fits_the_screen_and_breaks_no_rule(
    people: People, client: Client, kb_id: str, language: Language, theme: Theme
) -> None:
    """At both widths; the rules of accessibility in one, those of colours in the other colours as well."""
    name = "a/long/path/of/a/document.txt"
    task = client.take_in(kb_id, "A text of a page that is looked at. 看一看这一页。" * 40, name)
    visitor = people.of(language, WIDE, theme)
    page, axe = visitor.page, Axe()
    visitor.open("/")
    links = page.locator("header nav a")
    paths = [links.nth(index).get_attribute("href") or "" for index in range(links.count())]
    document = f"/kbs/{kb_id}/documents/{name.replace('/', '%2F')}"
    for path in [*dict.fromkeys(paths), f"/tasks/{task['task_id']}", f"/kbs/{kb_id}", document, "/sign-in"]:
        visitor.open(path)
        expect(page.locator("h1")).to_be_visible()
        broken = axe.run(page).response["violations"]
        visitor.fits(path, NARROW)
        page.evaluate("theme => document.documentElement.dataset.theme = theme", OTHER[theme])
        broken += axe.run(page, options=COLOURS).response["violations"]
        assert [rule["id"] for rule in broken if rule["impact"] in ("serious", "critical")] == [], path


def test_a_newcomer_takes_in_the_samples_and_finds_something(people: People, kb_id: str) -> None:
    visitor = people.of("zh-CN", WIDE)
    page = visitor.page
    visitor.open(f"/kbs/{kb_id}")
    page.locator("#samples").click()
    expect(page.locator("#files li.completed")).to_have_count(3, timeout=60_000)
    page.locator("#search input").fill("特级绿茶用多少度的水冲泡？")
    page.locator("#search button").click()
    expect(page.locator(".hit a").first).to_have_text("tea-garden.txt")


def test_an_empty_service_offers_the_samples_and_a_search_on_its_first_page(
    chromium: Browser, embedded: EmbeddedDeployment
) -> None:
    embedded.start_embedded()
    with person(chromium, embedded.url, "zh-CN", NARROW) as visitor:
        page = visitor.page
        visitor.open("/")
        page.locator("#take-in").click()
        expect(page).to_have_url(re.compile("/kbs/demo$"))
        expect(page.locator("#live a[href$='/documents/tea-garden.txt']")).to_be_visible()
        visitor.open("/kbs/demo?query=bell+petrel")
        expect(page.locator(".hit a").first).to_have_text("field-guide.pdf")


def test_what_failed_in_a_day_is_found_by_its_code_retried_together_and_that_is_undone(
    everybody: list[Person], client: Client
) -> None:
    kbs = [f"kb-{uuid4()}" for _ in everybody]
    failed = {kb_id: [client.submit(**empty(kb_id, name)) for name in "ab"] for kb_id in kbs}
    assert {client.ended(task)["error"]["code"] for tasks in failed.values() for task in tasks} == {"empty"}
    for visitor, kb_id in zip(everybody, kbs, strict=True):
        page = visitor.page
        visitor.open(f"/errors?kb_id={kb_id}&window=24h")
        row = page.locator("#live tbody tr")
        expect(row).to_contain_text("empty")
        row.locator("a").first.click()
        expect(page.locator("#live tbody tr")).to_have_count(2)
        visitor.press(page.locator(".actions button[data-path$='/tasks/retry']"))
        expect(page.locator("#ask .body")).to_contain_text("2")
        page.locator("#ask button[value=yes]").click()
        page.locator("#toasts a").click()
    for visitor in everybody:
        expect(visitor.page.locator("#live > p .status.completed")).to_be_visible(timeout=30_000)
        expect(visitor.page.locator("#touched tbody tr .status.completed")).to_have_count(2)
        visitor.press(visitor.page.locator("button[data-path$='/undo']"), sure=True)
    eventually(lambda: all(bulks(client, kb_id) == 2 for kb_id in kbs), reason="an undo is a task as well")


def test_what_was_cancelled_together_waits_again_after_the_undo(everybody: list[Person], client: Client) -> None:
    kbs = [f"kb-{uuid4()}" for _ in everybody]
    addresses, bulks = [f"/tasks?kb_id={kb_id}&task_type=test" for kb_id in kbs], []
    for visitor, kb_id, address in zip(everybody, kbs, addresses, strict=True):
        for _ in range(2):
            client.submit(kb_id=kb_id, run_at="2099-01-01T00:00:00Z")
        page = visitor.page
        visitor.open(address)
        expect(page.locator("#live tbody .status.waiting")).to_have_count(2)
        visitor.press(page.locator(".actions button[data-path$='/tasks/cancel']"))
        page.locator("#ask button[value=yes]").click()
        bulks.append(page.locator("#toasts a").get_attribute("href") or "")
    for visitor, bulk in zip(everybody, bulks, strict=True):
        page = visitor.page
        expect(page.locator("#live tbody .status.cancelled")).to_have_count(2)
        visitor.open(bulk)
        expect(page.locator("#touched tbody tr")).to_have_count(2)
        expect(page.locator("#live > p .status.completed")).to_be_visible()
        visitor.press(page.locator("button[data-path$='/undo']"), sure=True)
    for visitor, address in zip(everybody, addresses, strict=True):
        visitor.open(address)
        expect(visitor.page.locator("#live tbody .status.waiting")).to_have_count(2)


def test_what_is_open_of_batches_is_cancelled_together_and_waits_again_after_the_undo(
    everybody: list[Person], client: Client
) -> None:
    kbs = [f"kb-{uuid4()}" for _ in everybody]
    bulks = []
    for visitor, kb_id in zip(everybody, kbs, strict=True):
        for count in (1, 2):
            task = {"task_type": "test", "kb_id": kb_id, "run_at": "2099-01-01T00:00:00Z"}
            assert client.http.post("/api/v1/tasks/batch", json={"tasks": [task] * count}).status_code == 202
        page = visitor.page
        visitor.open(f"/batches?kb_id={kb_id}")
        expect(page.locator("#live tbody tr")).to_have_count(2)
        visitor.press(page.locator(".actions button[data-path$='/batches/cancel']"))
        expect(page.locator("#ask .body")).to_contain_text("3")
        page.locator("#ask button[value=yes]").click()
        bulks.append(page.locator("#toasts a").get_attribute("href") or "")
    for visitor, bulk in zip(everybody, bulks, strict=True):
        page = visitor.page
        # Its rows change while it is looked at.
        expect(page.locator("#live tbody tr > td > .status.completed")).to_have_count(2)
        visitor.open(bulk)
        expect(page.locator("#touched tbody tr")).to_have_count(3)
        expect(page.locator("#live > p .status.completed")).to_be_visible()
        visitor.press(page.locator("button[data-path$='/undo']"), sure=True)
    for visitor, kb_id in zip(everybody, kbs, strict=True):
        visitor.open(f"/batches?kb_id={kb_id}")
        expect(visitor.page.locator("#live tbody tr > td > .status.processing")).to_have_count(2)


def test_waiting_tasks_are_given_the_priority_that_is_chosen(visitor: Person, client: Client, kb_id: str) -> None:
    task = client.submit(kb_id=kb_id, run_at="2099-01-01T00:00:00Z")
    visitor.open(f"/tasks?kb_id={kb_id}&status=waiting")
    visitor.page.locator("select[name=priority]").last.select_option("low")
    visitor.press(visitor.page.locator(".actions button[data-path$='/prioritise']"))
    visitor.page.locator("#ask button[value=yes]").click()
    eventually(
        lambda: client.http.get(f"/api/v1/tasks/{task}").json()["priority"] == "low", reason="the bulk has ended"
    )


def test_a_time_is_asked_for_in_the_viewers_zone_and_stands_in_utc_in_the_address(
    chromium: Browser, client: Client
) -> None:
    with person(chromium, client.deployment.url, timezone="Asia/Shanghai") as visitor:
        page = visitor.page
        visitor.open("/tasks?created_after=2026-01-02T03:04:05Z")
        field = page.locator("input[name=created_after]")
        expect(field).to_have_value("2026-01-02T11:04:05")
        page.locator("form.filters button").first.click()
        expect(page).to_have_url(re.compile(r"\?created_after=2026-01-02T03%3A04%3A05Z$"))
        field.fill("2026-01-02T12:00:00")
        page.locator("form.filters button").first.click()
        expect(page).to_have_url(re.compile(r"\?created_after=2026-01-02T04%3A00%3A00.000Z$"))
        visitor.open("/tasks?created_after=2025-01-02T03:04:05Z")
        expect(page.locator(".chip time")).to_have_text("01/02/2025, 11:04:05")


def empty(kb_id: str, name: str) -> dict[str, object]:
    """A document that fails."""
    return {"task_type": "document_processing", "kb_id": kb_id, "payload": {"content": " ", "document_id": name}}


def bulks(client: Client, kb_id: str) -> int:
    query = "SELECT count(*) FROM tasks WHERE task_type = 'bulk' AND kb_id = %s AND status = 'completed'"
    return int(client.sql(query, kb_id)[0][0])


def test_a_callback_is_delivered_again(everybody: list[Person], client: Client) -> None:
    # Nobody is there; a private address would be refused, and a refusal is final as well.
    kbs = [f"kb-{uuid4()}" for _ in everybody]
    tasks = [client.submit(kb_id=kb_id, callback_url="http://127.0.0.1:9/nobody") for kb_id in kbs]
    eventually(lambda: tried(client, tasks, 1), seconds=30, reason="they were given up")
    for visitor, kb_id in zip(everybody, kbs, strict=True):
        visitor.open(f"/callbacks?kb_id={kb_id}")
        row = visitor.page.locator("#live tbody tr")
        expect(row.locator(".status.failed")).to_be_visible()
        visitor.press(row.locator("button[data-path$='/redeliver']"))
        expect(visitor.page.locator("#toasts > div")).to_be_visible()
    eventually(lambda: tried(client, tasks, 2), seconds=30, reason="they were tried again")


def tried(client: Client, tasks: list[str], times: int) -> bool:
    """Whether each callback of these tasks was tried so often, and given up."""
    state = "SELECT jsonb_array_length(log), status FROM callbacks WHERE task_id = ANY(CAST(%s AS uuid[]))"
    return client.sql(state, tasks) == [(times, "failed")] * len(tasks)
