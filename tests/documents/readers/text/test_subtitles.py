"""Subtitles: cues become paragraphs, and of times, marks and notes nothing is left."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.documents.extracted import CHINESE, ENGLISH, Read

SRT = """1
00:00:01,000 --> 00:00:03,500
<i>Everybody has fifteen days</i>
of leave a year.

2
00:00:03,600 --> 00:00:06,000 X1:10 X2:20 Y1:1 Y2:2
{\\an8}After five years it is twenty.

3
00:00:20,000 --> 00:00:22,000
- Who asks?
- The manager.
"""
VTT = """WEBVTT - Leave

STYLE
::cue { color: yellow }

NOTE
Not to be shown.

intro
00:01.000 --> 00:03.000 align:start
<v Mary Lee>Ask <c.red>your</c> manager&nbsp;&amp; wait.

00:03.000 --> 00:04.000
<v Mary Lee>Then <00:03.500>go.</v>

00:04.100 --> 00:05.000
<v.loud Bob>Thanks!
"""


def timed(lines: list[str], gap: float = 0.0) -> str:
    return "\n".join(
        f"{n + 1}\n00:{n // 60:02}:{n % 60:02},000 --> 00:{n // 60:02}:{n % 60:02},{900 - int(gap * 100):03}\n{line}\n"
        for n, line in enumerate(lines)
    )


@pytest.mark.parametrize("name", ["a.srt", "a.SRT", "a.vtt"])
@pytest.mark.parametrize("text", [ENGLISH, CHINESE])
def test_a_text_comes_back(read: Read, name: str, text: str) -> None:
    assert read(name, timed([text])).text == text


def test_cues_become_paragraphs_that_a_pause_and_a_turn_divide(read: Read) -> None:
    extracted = read("a.srt", SRT)
    assert extracted.text == (
        "Everybody has fifteen days of leave a year. After five years it is twenty.\n\n- Who asks?\n\n- The manager."
    )
    assert (extracted.format, extracted.warnings) == ("srt", [])


def test_notes_styles_and_marks_are_left_out_and_speakers_are_named(read: Read) -> None:
    extracted = read("a.vtt", VTT)
    assert extracted.text == "Mary Lee: Ask your manager & wait. Then go.\n\nBob: Thanks!"
    assert extracted.format == "vtt"
    assert read(None, VTT).text == extracted.text, "it is recognised without a name"


def test_chinese_lines_are_joined_without_a_space(read: Read) -> None:
    assert read("a.srt", timed(["员工每年享有", "十五天年假。"]).encode("gb18030")).text == "员工每年享有十五天年假。"


def test_captions_that_roll_are_read_once(read: Read) -> None:
    rolled = timed(["so today", "so today\nwe look at", "we look at\nthe leave", "the leave"])
    assert read("a.srt", rolled).text == "so today we look at the leave"


def test_what_lacks_its_empty_lines_or_its_numbers_is_read(read: Read) -> None:
    assert read("a.srt", timed(["One", "two."]).replace("\n\n", "\n")).text == "One two."
    assert read("a.srt", "\ufeff00:01.5 --> 00:02.5\r\nOne\r\n\r\n00:02.6 --> 00:03\r\nnot shown").text == "One"


def test_long_speeches_are_divided_at_sentences(read: Read) -> None:
    paragraphs = read("a.srt", timed([f"This is sentence {n} of a speech." for n in range(60)])).text.split("\n\n")
    assert len(paragraphs) > 3
    assert all(500 < len(paragraph) < 600 for paragraph in paragraphs[:-1])


@pytest.mark.parametrize("name", ["a.srt", "a.vtt", "a.txt", None])
def test_a_file_without_a_cue_is_plain_text(read: Read, name: str | None) -> None:
    extracted = read(name, "WEBVTT is a format.\nIts times look like 1 --> 2.")
    assert extracted.text == "WEBVTT is a format.\nIts times look like 1 --> 2."
    assert (extracted.format, extracted.warnings) == ("text", [])


@settings(max_examples=200)
@given(st.lists(st.text("abc \n12年月-<>&:,.", max_size=30), max_size=8))
def test_every_word_is_kept_in_order(lines: list[str]) -> None:
    from documents.readers.text.subtitles import _cues

    shown = [" ".join(line.split()) for line in lines if line.strip() and "-->" not in line]
    texts = [" ".join(" ".join(cue.lines).split()) for cue in _cues(timed([line.replace("\n", " ") for line in shown]))]
    assert texts == shown
