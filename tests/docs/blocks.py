"""The blocks of a page that are run as a reader would: those below `<!-- run -->`, in their order, in one folder.

A program whose first line is a comment with a file's name is saved under it. In `console` blocks what stands below a
command is what it prints: `…` stands for anything, white space counts for nothing, times are any times, and an id is
any id, which the commands below it are given in its place. Below `<!-- run: FILE -->` the program FILE runs meanwhile;
with `<!-- run: FILE until TEXT -->` it has to print TEXT before it is ended.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers import eventually

_FENCE = re.compile(
    r"^(?:<!-- run(?:: (\S+)(?: until ([^\n]+?))?)? -->\n)?```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
_NAMED = re.compile(r"(?:#|//) ([\w.]+)\n")
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a page.

    Parameters:
      run: whether it is to be run; beside: the program that runs meanwhile; until: what that has to print.
    """

    language: str
    code: str
    line: int
    run: bool
    beside: str | None
    until: str | None

    @property
    def name(self) -> str | None:
        """The file that it is to be saved as."""
        named = _NAMED.match(self.code)
        return named[1] if named else None


def blocks(page: Path) -> list[Block]:
    """Every block of a page between fences."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            language=match[3],
            code=match[4],
            line=text.count("\n", 0, match.start()) + 1,
            run=match[0].startswith("<!--"),
            beside=match[1],
            until=match[2],
        )
        for match in _FENCE.finditer(text)
    ]


@dataclass
class Reader:
    """Somebody who follows a page.

    Parameters:
      addresses: what is written in the pages, such as addresses and KBs, and what stands for it here.
    """

    folder: Path
    addresses: dict[str, str]
    environment: dict[str, str]
    _ids: dict[str, str] = field(default_factory=dict)

    def follow(self, page: Path, before: tuple[Path, ...] = ()) -> int:
        """Save the programs of the pages that come before, and run the blocks of this one; return how many.

        Raises:
          AssertionError: a command failed, or printed something else.
        """
        for other in (*before, page):
            for block in blocks(other):
                if block.name:
                    (self.folder / block.name).write_text(self._here(block.code), encoding="utf-8")
        ours = [block for block in blocks(page) if block.run]
        for block in ours:
            with self._beside(block.beside, block.until):
                self._run(block, f"{page.name}:{block.line}")
        return len(ours)

    def _run(self, block: Block, place: str) -> None:
        if block.language == "console":
            for step in re.split(r"^\$ ", block.code, flags=re.MULTILINE)[1:]:
                command, printed = _split(step)
                self._compare(self._here(printed), self._shell(command, place), place)
        elif block.language == "sh":
            self._shell(block.code, place)
        else:
            assert block.name, f"{place}: a program is saved, so it needs a name"

    def _shell(self, command: str, place: str) -> str:
        for example, here in self._ids.items():
            command = command.replace(example, here)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self._here(command)],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{place}: {command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def _compare(self, expected: str, printed: str, place: str) -> None:
        expected, printed = ("".join(text.split()) for text in (expected, printed))
        new: list[str] = []

        def part(text: str) -> str:
            if _TIME.fullmatch(text):
                return _TIME.pattern
            if text == "…":
                return ".*"
            if not _ID.fullmatch(text):
                return re.escape(text)
            if text in self._ids:
                return self._ids[text]
            if text in new:
                return f"(?P=id{new.index(text)})"
            new.append(text)
            return f"(?P<id{len(new) - 1}>{_ID.pattern})"

        parts = re.split(f"({_ID.pattern}|{_TIME.pattern}|…)", expected)
        match = re.fullmatch("".join(map(part, parts)), printed, re.DOTALL)
        assert match, f"{place}: the page has\n{expected}\nand this was printed:\n{printed}"
        self._ids.update({name: match[f"id{number}"] for number, name in enumerate(new)})

    def _here(self, text: str) -> str:
        for example, here in self.addresses.items():
            text = text.replace(example, here)
        return text

    @contextmanager
    def _beside(self, program: str | None, until: str | None) -> Iterator[None]:
        if program is None:
            yield
            return
        printed = self.folder / f"{program}.log"
        with printed.open("wb") as log:
            running = subprocess.Popen(
                [sys.executable, program], cwd=self.folder, env=self.environment, stdout=log, stderr=log
            )
        try:
            port = int(self.addresses["9000"])
            eventually(lambda: listens(port), seconds=20, reason=f"{program} listens")
            yield
            if until is not None:
                eventually(lambda: until in printed.read_text("utf-8"), seconds=20, reason=f"{program} prints {until}")
        finally:
            running.kill()
            running.wait()


def _split(step: str) -> tuple[str, str]:
    """Return a command of a console, with the lines that a backslash adds to it, and what it prints."""
    lines = step.splitlines(keepends=True)
    last = next(number for number, line in enumerate(lines) if not line.endswith("\\\n"))
    return "".join(lines[: last + 1]), "".join(lines[last + 1 :])


def listens(port: int) -> bool:
    """Whether a program takes connections on a port of this machine."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def environment(**added: str) -> dict[str, str]:
    """This environment, with the commands of this Python first, and UTF-8."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONUTF8": "1", "LC_ALL": "C.UTF-8", **added}
