"""A real browser, driven as a person would: Debian's Chromium, which is installed first where that is possible."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Literal

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Playwright, Request, expect

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
Language = Literal["en", "zh-CN"]
Theme = Literal["light", "dark"]
#: Milliseconds that a person waits for what is to be seen; far more than an idle machine takes.
expect.set_options(timeout=60_000)


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
        self.page.set_viewport_size({"width": self.width, "height": 800})
        self.page.goto(self.base + path)
        self.fits(path, self.width)

    def fits(self, path: str, width: int) -> None:
        """See whether the page that is open fits a screen of another width."""
        self.page.set_viewport_size({"width": width, "height": 800})
        shown = self.page.evaluate("document.documentElement.scrollWidth")
        if shown > width:
            self.problems.append(f"{path} is {shown} wide on a screen of {width}")

    def press(self, button: Locator, *, sure: bool = False) -> None:
        """Press a button, and say yes where it asks."""
        button.click()
        if sure:
            self.page.locator("#ask button[value=yes]").click()

    def leave(self) -> None:
        """Go away from the page, and forget what was kept for it.

        Raises:
          AssertionError: something went wrong in a page.
        """
        self.page.goto("about:blank")
        self.page.context.clear_cookies()
        problems = self.problems.copy()
        self.problems.clear()
        assert not problems, problems

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
    language: Language = "en",
    width: int = WIDE,
    theme: Theme = "light",
    timezone: str | None = None,
) -> Iterator[Person]:
    """Give somebody a browser with a language, a screen, colours and a time zone of their own.

    Raises:
      AssertionError: something went wrong in a page.
    """
    # Without motion, so that no colour is looked at while it changes into another.
    context: BrowserContext = browser.new_context(
        locale=language,
        color_scheme=theme,
        viewport={"width": width, "height": 800},
        reduced_motion="reduce",
        timezone_id=timezone,
    )
    context.set_default_timeout(60_000)
    try:
        page = context.new_page()
        person = Person(page, base, width)
        page.on("console", person.on_console)
        page.on("pageerror", lambda error: person.problems.append(str(error)))
        page.on("request", person.on_request)
        yield person
        assert not person.problems, person.problems
    finally:
        context.close()


class People:
    """Persons whose windows stay open: to open one takes as long as to look at some pages."""

    def __init__(self, browser: Browser, base: str, stack: ExitStack) -> None:
        self._browser, self._base, self._stack = browser, base, stack
        self._known: dict[tuple[Language, int, Theme], Person] = {}

    def of(self, language: Language, width: int, theme: Theme = "light") -> Person:
        """Return the one with these preferences."""
        wanted = (language, width, theme)
        if wanted not in self._known:
            self._known[wanted] = self._stack.enter_context(person(self._browser, self._base, *wanted))
        return self._known[wanted]

    def leave(self) -> None:
        """Let all go away from what they look at; see `Person.leave`."""
        for client in self._known.values():
            client.leave()
