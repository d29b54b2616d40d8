"""Text in pictures, recognised by the Tesseract that the system has, if it has one."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, islice

from documents.readers.shared.picture_size import sizes
from documents.reading import deadline
from processes.ending import die_with_parent

#: Languages that are asked for, best first, as far as they are installed.
LANGUAGES = ("chi_sim", "eng")
#: Seconds for one picture: a full page takes 2 to 10.
_TIMEOUT = 90.0
#: Why a picture was not read that came too late.
OUT_OF_TIME = "not read, since the time for text recognition was over; a larger `timeout` of the task gives it more"
#: Pixels of a picture, which Tesseract decodes to four bytes each, and on each of its sides (Tesseract's own limit).
MOST_PIXELS, _LONGEST_SIDE = 50_000_000, 32_767
#: Columns of Tesseract's TSV: level, page, block, paragraph, line, word, left, top, width, height, confidence, text.
_WORD_LEVEL = "5"


class Failed(Exception):
    """Tesseract gave no answer about a picture; the message says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of text in a picture: its edges in pixels from the left and the top, and a confidence of 0 to 100."""

    text: str
    left: int
    top: int
    right: int
    bottom: int
    confidence: float


@lru_cache(maxsize=1)
def languages() -> str | None:
    """Return the languages to read, as Tesseract's option takes them; None when it is installed with none of them."""
    command = shutil.which("tesseract")
    if command is None:
        return None
    said = subprocess.run([command, "--list-langs"], capture_output=True, text=True, timeout=30, check=False)
    codes = [language for language in LANGUAGES if language in said.stdout.split()]
    return "+".join(codes) or None


def recognise(picture: bytes, resolution: int, page: int = 0) -> list[Row]:
    """Return the lines of text in a picture, from the top.

    Parameters:
      picture: a file such as a PNG, a JPEG or a PGM.
      resolution: pixels for an inch.
      page: which of a TIFF's pages, from 0.

    Raises:
      Failed: Tesseract is not installed, does not read such a picture, failed, or took too long; the picture is too
        large; or no time is left.
    """
    left = require_time()
    wanted = languages()
    if wanted is None:
        raise Failed("Tesseract is not installed")
    _require_size(picture, page)
    options = ("-l", wanted, "--dpi", str(resolution), "--psm", "3", "-c", f"tessedit_page_number={page}")
    command = ["tesseract", "-", "-", *options, "tsv"]
    try:
        done = subprocess.run(
            command,
            input=picture,
            capture_output=True,
            timeout=min(_TIMEOUT, left),
            check=False,
            # One page keeps one CPU busy: there are as many readers as CPUs.
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
            preexec_fn=die_with_parent,  # where its reader is killed, it ends as well
        )
    except subprocess.TimeoutExpired:
        raise Failed(OUT_OF_TIME if left < _TIMEOUT else f"Tesseract took longer than {_TIMEOUT:g} s") from None
    except OSError as error:
        raise Failed(f"Tesseract cannot be started: {error.strerror}") from None
    if done.returncode:
        said = " ".join(done.stderr.decode(errors="replace").split())[-200:]
        raise Failed(f"Tesseract ended with {done.returncode}: {said}")
    return _rows(done.stdout.decode(errors="replace"))


def require_time() -> float:
    """Return the seconds that are left for text recognition. Raises Failed when there are none."""
    if (left := deadline.seconds_left()) <= 0:
        raise Failed(OUT_OF_TIME)
    return left


def _require_size(picture: bytes, page: int) -> None:
    """Refuse what is no picture, and one that would take too much memory to decode. Raises Failed.

    Tesseract takes what it does not know for a list of files of this machine, and opens those.
    """
    try:
        size = next(islice(sizes(picture), page, None), None)
    except ValueError as error:
        raise Failed(f"the picture is in a form that text recognition does not read: {error}") from None
    if size is None:
        raise Failed("there is no such page")
    width, height = size
    if width * height > MOST_PIXELS or max(size) > _LONGEST_SIDE:
        raise Failed(
            f"the picture has {width:,} times {height:,} pixels, and at most {MOST_PIXELS:,} are read,"
            f" {_LONGEST_SIDE:,} on each side"
        )


def _rows(table: str) -> list[Row]:
    words = [line.split("\t") for line in table.splitlines()]
    words = [word for word in words if len(word) == 12 and word[0] == _WORD_LEVEL and word[11].strip()]
    rows = []
    for _, group in groupby(words, key=lambda word: word[1:5]):
        line = list(group)
        lefts, tops, widths, heights = (list(map(int, column)) for column in list(zip(*line, strict=True))[6:10])
        letters = [len(word[11]) for word in line]
        rows.append(
            Row(
                " ".join(word[11].strip() for word in line),
                min(lefts),
                min(tops),
                max(map(sum, zip(lefts, widths, strict=True))),
                max(map(sum, zip(tops, heights, strict=True))),
                sum(float(word[10]) * count for word, count in zip(line, letters, strict=True)) / sum(letters),
            )
        )
    return rows
