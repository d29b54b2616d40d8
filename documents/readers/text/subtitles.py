"""Subtitles (SRT and WebVTT): cues joined into paragraphs, the times at which they are shown left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path

from documents.readers.shared.layout import glue
from documents.readers.text import plain
from documents.reading.decoding import decode
from documents.text import Extracted, Writer

_TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{2})[.,](\d{1,3})"
_TIMING = re.compile(rf"[ \t]*{_TIME}[ \t]*-->[ \t]*{_TIME}(?:[ \t].*)?$")
#: Who speaks, as WebVTT has it.
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?[ \t]+([^>]+)>")
#: Marks of type and colour, times within a cue, and places that other programs write before its text.
_MARKS = re.compile(r"</?(?:[biucv]|ruby|rt|lang|font)\b[^<>]{0,200}>|<\d[\d:.]{4,}>|\{\\[^{}]{0,200}\}", re.IGNORECASE)
#: A line of a conversation, of which a cue may hold several.
_TURN = re.compile(r"[-–—]\s*\S")
_SENTENCE_END = tuple('.!?。！？…」』”"')
#: A pause of so many seconds ends a paragraph, and so does a sentence once the paragraph has so many characters.
_PAUSE = 4.0
_LONG = 500


@dataclass(frozen=True, slots=True)
class Cue:
    """What is shown for a while: its beginning and end in seconds, and its lines."""

    start: float
    end: float
    lines: list[str]


def read(path: Path, encoding: str | None = None) -> Extracted:
    """Read subtitles; a file without a cue is plain text.

    Each change of the speaker, and each line that begins with a dash, begins a paragraph.

    Raises:
      TaskError: undecodable, too_large.
    """
    decoded = decode(path.read_bytes(), encoding)
    cues = list(_cues(decoded.text))
    if not cues:
        return plain.read(path, encoding)
    writer = Writer()
    paragraph = _Paragraph(writer)
    for cue in cues:
        paragraph.add(cue)
    paragraph.end()
    format = "vtt" if decoded.text.startswith("WEBVTT") else "srt"
    return writer.finish(format, encoding=decoded.encoding, warnings=decoded.warnings)


def _cues(text: str) -> Iterator[Cue]:
    """Yield the cues: a line with times, and the lines up to an empty one; other blocks are notes and styles."""
    times: tuple[float, float] | None = None
    lines: list[str] = []
    for line in text.splitlines():
        if match := _TIMING.match(line):
            if times is not None:  # no empty line between two cues: the last line is the number of the second
                yield Cue(*times, lines[:-1] if lines and lines[-1].strip().isdigit() else lines)
            times, lines = (_seconds(match.groups()[:4]), _seconds(match.groups()[4:])), []
        elif line.strip():
            lines.append(line)
        elif times is not None and lines:
            yield Cue(*times, lines)
            times, lines = None, []
        elif times is None:
            lines = []
    if times is not None:
        yield Cue(*times, lines)


def _seconds(time: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, parts = time
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0) + float(f"0.{parts}")


class _Paragraph:
    """Joins the lines of cues until a paragraph ends."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._parts: list[str] = []
        self._length = 0
        self._before = ""  # the last line: captions that roll show it again with the next one
        self._end = 0.0
        self._voice = ""

    def add(self, cue: Cue) -> None:
        if cue.start - self._end > _PAUSE:
            self.end()
        for line in cue.lines:
            voice = _VOICE.search(line)
            words = " ".join(unescape(_MARKS.sub("", line)).split())
            if not words or words == self._before:
                continue
            self._before = words
            if voice is not None and voice.group(1).strip() != self._voice:
                self.end()
                self._voice = voice.group(1).strip()
                words = f"{self._voice}: {words}"
            elif _TURN.match(words) or (self._length > _LONG and self._parts[-1].endswith(_SENTENCE_END)):
                self.end()
            self._join(words)
        self._end = cue.end

    def end(self) -> None:
        """Write what there is of a paragraph."""
        self._writer.block("".join(self._parts))
        self._parts, self._length = [], 0

    def _join(self, words: str) -> None:
        if self._parts:
            self._parts.append(glue(self._parts[-1], words))
        self._parts.append(words)
        self._length += len(words)
