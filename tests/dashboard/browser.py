"""A real browser, driven as a person would: Debian's Chromium, which is installed first where that is possible."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, Request, expect

from tests import packages

#: It looks up no host of its maker's, and needs no sandbox of its own for pages that are ours.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDE, NARROW = 1280, 390
#: Milliseconds that a person waits for what is to be seen; far more than an idle machine takes.
expect.set_options(timeout=20_000)


def launch(playwright: Playwright) -> Browser:
    """Start Chromium without a window."""
    packages.install(lambda: shutil.which("chromium") is not None, "chromium")
    return playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))


@dataclass
class Person:
    """Somebody who looks at the service, and what went wrong meanwhile.

    Parameters:
      problems: errors of scripts and of the policy, requests to elsewhere, and pages wider than the screen.
    """

    page: Page
    base: str
    width: int
    problems: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        """Open a page, and see that it fits the screen."""
        self.page.goto(self.base + path)
        shown = self.page.evaluate("document.documentElement.scrollWidth")
        if shown > self.width:
            self.problems.append(f"{path} is {shown} wide on a screen of {self.width}")

    def on_console(self, message: ConsoleMessage) -> None:
        # A refusal that the page then tells is no error of the page.
        if message.type == "error" and "the server responded with a status of 4" not in message.text:
            self.problems.append(f"{message.text} {message.location}")

    def on_request(self, request: Request) -> None:
        if not request.url.startswith((self.base, "data:")):
            self.problems.append(f"asked elsewhere: {request.url}")


@contextmanager
def person(
    browser: Browser,
    base: str,
    language: Literal["en", "zh-CN"] = "en",
    width: int = WIDE,
    theme: Literal["light", "dark"] = "light",
) -> Iterator[Person]:
    """Give somebody a browser with a language, a screen and colours of their own.

    Raises:
      AssertionError: something went wrong in a page.
    """
    context: BrowserContext = browser.new_context(
        locale=language, color_scheme=theme, viewport={"width": width, "height": 800}
    )
    context.set_default_timeout(20_000)
    try:
        page = context.new_page()
        found = Person(page, base, width)
        page.on("console", found.on_console)
        page.on("pageerror", lambda error: found.problems.append(str(error)))
        page.on("request", found.on_request)
        yield found
        assert not found.problems, found.problems
    finally:
        context.close()
