"""Bytes of any encoding become the text that they were, wherever in the file the first foreign character stands."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from documents.reading.decoding import decode, encoding_named
from documents.reading.extraction import extract
from errors import TaskError

SIMPLIFIED = "员工每年享有十五天带薪年假，未休完的部分可以在次年三月底以前使用。请假须提前三天提出申请。"
TRADITIONAL = "員工每年享有十五天帶薪年假，未休完的部分可以在次年三月底以前使用。請假須提前三天提出申請。"
JAPANESE = "従業員は毎年十五日間の有給休暇を取得することができます。残りは翌年の三月末まで使えます。"
KOREAN = "직원은 매년 십오일의 유급 휴가를 사용할 수 있습니다. 남은 휴가는 다음 해 삼월까지 사용할 수 있다."
GERMAN = "Über die Größe des Büros entscheidet, wer für die Räume zuständig ist – natürlich nicht der Gärtner."
FRENCH = "Voilà l’été où nous déjeunâmes à Nîmes : ça coûtait 5 €."

ENCODED = [
    (SIMPLIFIED, "gb18030"),
    (SIMPLIFIED, "gbk"),
    (TRADITIONAL, "gbk"),
    (TRADITIONAL, "big5"),
    (SIMPLIFIED, "utf-8"),
    (SIMPLIFIED, "utf-8-sig"),
    (SIMPLIFIED, "utf-16"),
    (SIMPLIFIED, "utf-16-le"),
    (TRADITIONAL, "utf-16-be"),
    (SIMPLIFIED, "utf-32"),
    (SIMPLIFIED, "utf-32-le"),
    (TRADITIONAL, "utf-32-be"),
    (GERMAN, "utf-16-le"),
    (GERMAN, "utf-16-be"),
    (JAPANESE, "shift_jis"),
    (JAPANESE, "euc_jp"),
    (JAPANESE, "iso2022_jp"),
    (KOREAN, "euc_kr"),
    (GERMAN, "cp1252"),
    (FRENCH, "cp1252"),
]


@pytest.mark.parametrize(("text", "encoding"), ENCODED)
@pytest.mark.parametrize("ascii_before", [0, 1, 1000, 70_000])
def test_it_finds_the_encoding_behind_any_length_of_ascii(text: str, encoding: str, ascii_before: int) -> None:
    whole = "a line of plain words\n" * (ascii_before // 22) + text

    decoded = decode(whole.encode(encoding))

    assert decoded.text == whole
    assert not any("U+FFFD" in warning for warning in decoded.warnings)


@pytest.mark.parametrize(("text", "encoding"), [(SIMPLIFIED, "gb18030"), (TRADITIONAL, "big5")])
def test_it_finds_three_chinese_words_in_english(text: str, encoding: str) -> None:
    whole = f"The rule ({text[:4]}) says that {text[4:8]} is the same as {text[14:18]} for everybody."
    assert decode(whole.encode(encoding)).text == whole


def rows(charset: str, first: int, last: int, trails: tuple[int, ...]) -> str:
    """The characters in rows of a charset of two bytes."""
    pairs = (bytes((lead, trail)) for lead in range(first, last + 1) for trail in trails)
    return "".join(pair.decode(charset, "ignore") for pair in pairs)


HIGH = tuple(range(0xA1, 0xFF))
#: The characters in daily use, from which texts are drawn, in Chinese without regard to what is frequent among them.
DAILY = {
    "zh": rows("gb2312", 0xB0, 0xD7, HIGH) + "，。！？；：“”《》",
    "zh-Hant": rows("big5", 0xA4, 0xC5, (*range(0x40, 0x7F), *HIGH)) + "，。！？；：「」《》",
    "ja": rows("euc_jp", 0xB0, 0xBF, HIGH) + "".join(map(chr, range(0x3041, 0x3094))) * 20 + "、。「」",
    "ko": rows("euc_kr", 0xB0, 0xC8, HIGH) + KOREAN * 40,
}
#: Ten encodings and those that are near to them, each with the languages that it is used for.
ENCODINGS = [
    *((name, "zh") for name in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")),
    *((name, "zh") for name in ("gb2312", "gbk", "gb18030")),
    *((name, "zh-Hant") for name in ("big5", "gb18030", "utf-16-le")),
    *((name, "ja") for name in ("shift_jis", "euc_jp", "utf-16-be")),
    ("euc_kr", "ko"),
]
PLAIN = "A line of plain words, as logs and programs are full of them; 1,234 of these.\n"
#: A text of each format that holds a text as its last word.
FORMATS: dict[str, Callable[[str, str], str]] = {
    "a.txt": lambda before, text: before + text,
    "a.md": lambda before, text: f"{before}\n\n# One\n\n{text}\n",
    "a.csv": lambda before, text: f'id,note\n1,"{before}"\n2,{text}\n',
    "a.html": lambda before, text: f"<!doctype html><title>t</title><p>{before}</p><p>{text}</p>",
    "a.json": lambda before, text: json.dumps({"before": before, "note": text}, ensure_ascii=False),
}


@pytest.mark.parametrize(("encoding", "language"), ENCODINGS)
@settings(max_examples=25)
@given(data=st.data())
def test_not_a_character_is_lost_in_any_encoding_behind_up_to_64_kb_of_ascii(
    tmp_path_factory: pytest.TempPathFactory, encoding: str, language: str, data: st.DataObject
) -> None:
    # By a seed: texts that Hypothesis makes itself repeat few characters, as no language does.
    chance = Random(data.draw(st.integers(0, 2**32), "seed"))
    text = "".join(chance.choices(DAILY[language].replace(" ", ""), k=data.draw(st.integers(60, 300), "length")))
    before = (PLAIN * 900)[: data.draw(st.integers(0, 64 * 1024), "ASCII before")]
    name = data.draw(st.sampled_from(sorted(FORMATS)), "format")
    path: Path = tmp_path_factory.mktemp("encoded") / name
    path.write_bytes(FORMATS[name](before, text).encode(encoding))

    extracted = extract(path, filename=name)

    assert text in extracted.text, (extracted.encoding, extracted.warnings)
    assert not any("U+FFFD" in warning for warning in extracted.warnings)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_utf8_always_comes_back(text: str) -> None:
    assert decode(b"\xef\xbb\xbf" + text.encode()).text == text
    if not text.startswith("\ufeff") and "\x00" not in text:
        assert decode(text.encode()).text == text


@given(st.binary(max_size=300))
def test_it_never_raises_anything_but_its_own_error_and_never_yields_surrogates(data: bytes) -> None:
    try:
        decoded = decode(data)
    except TaskError as error:
        assert error.code == "undecodable"
    else:
        decoded.text.encode()  # fails on a lone surrogate


@given(st.text(alphabet="员工每年享有十五天带薪假未休完的部分可以在次使用请须提前三出申abc ,.\n", min_size=1))
def test_a_declared_encoding_is_kept_to(text: str) -> None:
    assert decode(text.encode("gb18030"), "gb2312").text == text


def test_a_declaration_that_fits_but_makes_no_sense_is_kept_to_and_told() -> None:
    decoded = decode(TRADITIONAL.encode("big5"), "gb18030")
    assert decoded.encoding == "gb18030"
    assert decoded.warnings == ["the text was declared as gb18030, but makes more sense in cp950"]


def test_latin1_is_declared_by_programs_that_know_no_other_encoding() -> None:
    decoded = decode(SIMPLIFIED.encode("gb18030"), "iso-8859-1")
    assert (decoded.text, decoded.encoding) == (SIMPLIFIED, "gb18030")
    assert decoded.warnings == ["the text was declared as iso-8859-1 but is gb18030"]


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
def test_utf16_that_is_declared_without_its_order_is_read_in_the_right_one(order: str) -> None:
    assert decode(SIMPLIFIED.encode(order), "utf-16").text == SIMPLIFIED


def test_text_in_an_alphabet_that_is_not_looked_for_is_refused_until_its_encoding_is_named() -> None:
    russian = "Сотрудники имеют право на пятнадцать дней оплачиваемого отпуска в год."
    with pytest.raises(TaskError, match=r"undecodable: .* name the right one in `encoding`"):
        decode(russian.encode("cp1251"))
    assert decode(russian.encode("cp1251"), "windows-1251").text == russian


def test_a_declaration_that_does_not_fit_is_told() -> None:
    decoded = decode(SIMPLIFIED.encode("gb18030"), "utf-8")
    assert decoded.text == SIMPLIFIED
    assert "does not fit" in decoded.warnings[0]


def test_utf8_declared_as_latin1_is_read_as_utf8() -> None:
    decoded = decode(GERMAN.encode(), "iso-8859-1")
    assert (decoded.text, decoded.encoding) == (GERMAN, "utf-8")
    assert decoded.warnings


@pytest.mark.parametrize("name", ["rot13", "zip", "base64", "unicode_escape", "idna", "no-such", "\x00", ""])
def test_a_codec_that_is_no_encoding_is_refused(name: str) -> None:
    assert encoding_named(name) is None
    assert decode(b"plain", name or None).text == "plain"


def test_damage_is_shown_and_counted_not_hidden() -> None:
    data = (SIMPLIFIED * 20).encode() + "年".encode()[:2]
    decoded = decode(data)
    assert decoded.text == SIMPLIFIED * 20 + "\ufffd"
    assert "1 characters" in decoded.warnings[0]


def test_a_gb18030_file_cut_in_the_middle_of_a_character_loses_only_that() -> None:
    decoded = decode((SIMPLIFIED * 20).encode("gb18030")[:-1])
    assert decoded.text.startswith(SIMPLIFIED * 19)
    assert decoded.warnings


def test_a_mark_decides() -> None:
    assert decode(codecs.BOM_UTF16_BE + "年".encode("utf-16-be")).text == "年"


@pytest.mark.parametrize(
    ("name", "meant"), [("x-sjis", "cp932"), ("X-GBK", "gb18030"), ("x-euc-jp", "euc_jp"), ("'Big5'", "cp950")]
)
def test_old_names_of_encodings_are_known(name: str, meant: str) -> None:
    assert encoding_named(name) == meant


@pytest.mark.parametrize("markup", [0, 20, 60])
def test_a_language_that_it_does_not_know_is_refused_also_among_much_markup(markup: int) -> None:
    russian = "Съешь же ещё этих мягких французских булок, да выпей чаю. "
    page = f"{'<b>' * (markup // 7)}{russian}{'</b>' * (markup // 7)}\n" * 30
    with pytest.raises(TaskError) as caught:
        decode(page.encode("iso8859-5"))
    assert caught.value.code == "undecodable"
    assert decode(page.encode("iso8859-5"), "iso8859-5").text == page
