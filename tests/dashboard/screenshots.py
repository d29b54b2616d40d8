"""Pictures of every page: `python -m tests.dashboard.screenshots FOLDER`, in two languages, colours and widths."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import httpx2
from playwright.sync_api import Browser, sync_playwright

from demo.__main__ import KB, show
from demo.service import EmbeddedService
from tests import packages
from tests.dashboard.browser import NARROW, WIDE, launch, person

API = "/api/v1"
#: What a reader of a language looks at, and asks.
DOCUMENTS = {"en": "field-guide.pdf", "zh-CN": "tea-garden.txt"}
QUESTIONS = {"en": "How many days of paid leave are there?", "zh-CN": "特级绿茶用多少度的水冲泡？"}


def main(folder: Path) -> None:
    """Start the service with the samples and something of everything, and take the pictures."""
    packages.install(_has_chinese, "fontconfig", "fonts-droid-fallback")
    folder.mkdir(parents=True, exist_ok=True)
    with EmbeddedService({"CALLBACK_ALLOWED_HOSTS": "127.0.0.1"}) as service:
        if not asyncio.run(show(service.url)):
            sys.exit("the samples could not be taken in")
        task = fill(service.url)
        pages = {
            "overview": "/",
            "tasks": "/tasks",
            "task": f"/tasks/{task}",
            "errors": "/errors",
            "batches": "/batches",
            "queues": "/queues",
            "workers": "/workers",
            "kbs": "/kbs",
            "kb": f"/kbs/{KB}",
            "callbacks": "/callbacks",
            "audit": "/audit",
            "sign-in": "/sign-in",
        }
        with sync_playwright() as playwright:
            browser = launch(playwright)
            for language, theme, width in product(("en", "zh-CN"), ("light", "dark"), (WIDE, NARROW)):
                shown = pages | {"document": f"/kbs/{KB}/documents/{DOCUMENTS[language]}"}
                take(browser, service.url, shown, folder, language, theme, width)
            browser.close()


def _has_chinese() -> bool:
    """Whether the machine has a font for what is Chinese; without one every character is a box."""
    fonts = shutil.which("fc-list") and subprocess.run(["fc-list", ":lang=zh"], capture_output=True, check=False).stdout
    return bool(fonts)


def fill(url: str) -> str:
    """Leave something to be seen on every page. Returns the task that is shown."""
    with httpx2.Client(base_url=url + API, timeout=30) as http:
        # The clock notes the counters for the plots every ten seconds, and before what it is to show.
        time.sleep(12)
        tasks = [{"task_type": "test", "kb_id": KB, "payload": {"message": str(number)}} for number in range(20)]
        http.post("/tasks/batch", json={"tasks": tasks})
        for name in ("scan-1.txt", "scan-2.txt"):
            payload = {"content": " ", "document_id": name}
            http.post("/tasks", json={"task_type": "document_processing", "kb_id": KB, "payload": payload})
        http.post("/tasks", json={"task_type": "test", "kb_id": KB, "callback_url": "http://127.0.0.1:9/"})
        later = {"task_type": "test", "kb_id": KB, "run_at": "2099-01-01T00:00:00Z"}
        http.post("/tasks", json=later)
        http.post("/queues/storing/pause", json={"reason": "a disk is changed"})
        one: dict[str, str | int] = {
            "kb_id": KB,
            "task_type": "document_processing",
            "status": "completed",
            "limit": 1,
        }
        time.sleep(75)
        return str(http.get("/tasks", params=one).json()["items"][0]["task_id"])


def take(
    browser: Browser, url: str, pages: dict[str, str], folder: Path, language: str, theme: str, width: int
) -> None:
    """Take each page as one person sees it."""
    with person(browser, url, language, width, theme) as visitor:  # type: ignore[arg-type]
        for name, path in pages.items():
            visitor.open(path)
            if name == "kb":
                visitor.page.locator("#search input").fill(QUESTIONS[language])
                visitor.page.locator("#search button").click()
                visitor.page.locator(".hit").first.wait_for()
            # The plots, and the first news of the stream.
            visitor.page.wait_for_timeout(1200)
            visitor.page.screenshot(path=folder / f"{name}-{language[:2]}-{theme}-{width}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
