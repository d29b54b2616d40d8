"""Bytes to text without losing a character: by mark, declaration, UTF-8, else by what makes most sense."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from math import log

from documents.reading import likelihood
from errors import TaskError

_BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
    b"\x84\x31\x95\x33": "gb18030",
}
#: Names that mean more than they say (as in WHATWG's Encoding standard).
_WIDER = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "big5": "cp950",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "hz": "hz",
}
#: Python codecs that are no character encoding of documents.
_NO_ENCODING = {
    "idna",
    "punycode",
    "unicode_escape",
    "raw_unicode_escape",
    "utf-7",
    "undefined",
    "mbcs",
    "oem",
}
_SAMPLE = 256 * 1024
#: The bytes at a text's beginning that tell UTF-16 and UTF-32 without a mark.
_HEAD = 64 * 1024
_STEP = 1024 * 1024
#: What no text in bytes of eight bits holds, but halves of wider characters are.
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
#: What begins Japanese in seven bits, as mails have it.
_ISO_2022 = b"\x1b$"
_ALL_HIGH = bytes(range(128, 256))
_HIGH = re.compile(rb"[\x80-\xff]")
_HIGH_RUN = re.compile(r"[^\x00-\x7f]+")
_NEVER, _UNFIT = -20.0, -10.5
#: Above ASCII in cp1252: among letters, as in "café"; signs, alone or beside a space that does not break, some of them
#: never before a letter; letters that are words themselves; what is no character there; and anything else.
_LATIN = (
    (re.compile(rb"(?<=[A-Za-z])[\xc0-\xff]{1,2}|[\xc0-\xff]{1,2}(?=[A-Za-z])"), log(0.5 / 60)),
    (
        re.compile(
            rb"(?<![\x80-\xff])(?:\xa0*(?:[\x80\x85\x91-\x97\x99\xa1\xa3\xa9-\xab\xad\xae\xb0\xb9-\xbf]"
            rb"|[\xa2\xa4-\xa8\xac\xaf\xb1-\xb8](?![A-Za-z]))\xa0*|\xa0+)(?![\x80-\xff])"
        ),
        log(0.3 / 60),
    ),
    (re.compile(rb"(?<![\x80-\xff])[\xc0-\xff](?![\x80-\xff])"), log(0.1 / 60)),
    (re.compile(rb"[\x81\x8d\x8f\x90\x9d]"), _NEVER),
    (_HIGH, _UNFIT),
)
_LATIN_PRIOR = 3.0
#: How the encodings of East Asia are weighed, and how much more often they occur in advance, as a logarithm.
_EAST = {
    "gb18030": (likelihood.simplified, 5.0),
    "cp950": (likelihood.traditional, 2.0),
    "cp932": (likelihood.japanese, 0.5),
    "euc_jp": (likelihood.japanese, 0.0),
    "cp949": (likelihood.korean, 0.5),
}
_WIDE = ("utf-16-le", "utf-16-be")
#: UTF-16 without a mark and without a control character in it.
_WIDE_PRIOR = -3.0
#: What each character of UTF-16 is likelier than, and how much likelier than in the other order of bytes.
_WIDE_SENSE, _WIDE_LEAD = -14.6, 0.3
#: A guess that is not so many times as likely as the next one (as a logarithm) is told of.
_DOUBT = log(20)
#: What a character of text is likelier than; with less sense, the doubt is told of, and with none the guess refused.
_SENSE, _NO_SENSE = -6.5, -8.5
#: A guess of which more is broken is none: as a share of what is no ASCII, and of everything, since a text that is
#: nearly all ASCII may do without a few characters.
_BROKEN_OF_HIGH, _BROKEN = 0.1, 0.01
#: What an encoding must make more sense by than the one that is declared, for each byte above ASCII.
_BETTER = 2.0


@dataclass(slots=True)
class Decoded:
    """A text, the encoding that it was in, and what the submitter should know of any doubt."""

    text: str
    encoding: str
    warnings: list[str] = field(default_factory=list)


def decode(data: bytes, declared: str | None = None) -> Decoded:
    """Return the text that bytes hold. No byte is dropped: one that fits nowhere becomes U+FFFD, with a warning.

    declared: the encoding that the submitter, a header or the document itself names; kept to if it fits.

    Raises:
      TaskError: undecodable.
    """
    for mark, encoding in _BOMS.items():
        if data.startswith(mark):
            return _as(data[len(mark) :], encoding)
    warnings: list[str] = []
    if declared:
        decoded = _as_declared(data, declared, warnings)
        if decoded is not None:
            return decoded
    if _ISO_2022 in data and data.isascii() and (text := _strictly(data, "iso2022_jp_2")) is not None:
        return Decoded(text, "iso2022_jp_2")
    text, head = _strictly(data, "utf-8"), data[:_HEAD]
    # ASCII may hold a NUL, but nobody writes it; in UTF-16 it is half of every Latin letter.
    suspect = _CONTROL.search(head) if text is None else b"\x00" in head and head.isascii()
    if suspect and (wide := wide_encoding(head)):
        return _as(data, wide, warnings)
    return _by_score(data, warnings) if text is None else Decoded(text, "utf-8", warnings)


def _as_declared(data: bytes, declared: str, warnings: list[str]) -> Decoded | None:
    encoding = encoding_named(declared)
    if encoding is None:
        warnings.append(f"the declared encoding {declared[:40]!r} is unknown and was not used")
        return None
    if encoding in ("utf-16", "utf-32"):  # in which order its bytes are, a mark would have said
        encoding = wide_encoding(data[:_HEAD]) or f"{encoding}-le"
    text = _strictly(data, encoding)
    if text is None and encoding == "cp950":
        encoding, text = "big5hkscs", _strictly(data, "big5hkscs")
    if text is None:
        warnings.append(f"the text was declared as {declared} but does not fit it")
        return None
    if (other := _more_likely(data, encoding)) is None:
        return Decoded(text, encoding)
    if encoding.startswith("cp125"):  # named by programs that know no other, and any bytes fit it
        warnings.append(f"the text was declared as {declared} but is {other}")
        return None
    return Decoded(text, encoding, [f"the text was declared as {declared}, but makes more sense in {other}"])


def _more_likely(data: bytes, encoding: str) -> str | None:
    """Return an encoding that is far more likely than the given one, in which data can be decoded too; else None."""
    if data.isascii() or encoding.startswith("utf"):
        return None
    if _strictly(data, "utf-8") is not None:
        return "utf-8"
    sample = _sample(data)
    scores = _scores(data, sample)
    best = max(scores, key=lambda name: scores[name])
    known = scores.get(encoding, 0.0)
    return best if _sense(scores[best], sample) - _sense(known, sample) > _BETTER else None


def encoding_named(name: str) -> str | None:
    """Return Python's name of an encoding of documents, in its widest form; None for what is none."""
    try:
        info = codecs.lookup(name.strip().strip("\"'").lower().removeprefix("x-"))  # as in x-sjis
    except (LookupError, ValueError):
        return None
    if not getattr(info, "_is_text_encoding", True) or info.name.replace("_", "-") in {
        other.replace("_", "-") for other in _NO_ENCODING
    }:
        return None
    return _WIDER.get(info.name, info.name)


def wide_encoding(head: bytes) -> str | None:
    """Return UTF-16 or UTF-32, in one byte order or the other, for a text without a mark; None for anything else.

    head is the text's beginning, or all of it.
    """
    for order in ("utf-32-le", "utf-32-be"):
        # Of four bytes one is always 0 and another nearly so: nothing else is like that by chance.
        text = _strictly(head[: len(head) & ~3], order)
        if text and likelihood.likelihood(text, likelihood.universal) > _WIDE_SENSE:
            return order
    pairs = head[: len(head) & ~1]
    scores = {order: likelihood.likelihood(pairs.decode(order, "replace"), likelihood.universal) for order in _WIDE}
    best, other = sorted(_WIDE, key=lambda order: scores[order], reverse=True)
    lead, count = scores[best] - scores[other], len(pairs) / 2
    likely = scores[best] > _WIDE_SENSE and scores[best] * count > _narrow(pairs)
    return best if likely and lead > _WIDE_LEAD and lead * count > _DOUBT else None


def _narrow(data: bytes) -> float:
    """Return the logarithm of how likely bytes are in an encoding in which letters are single bytes, roughly."""
    controls, high = len(_CONTROL.findall(data)), len(data) - len(data.translate(None, _ALL_HIGH))
    return controls * _NEVER + high * _UNFIT + (len(data) - controls - high) * likelihood.ASCII


def _by_score(data: bytes, warnings: list[str]) -> Decoded:
    """Weigh the encodings against each other over all that is not ASCII."""
    if (decoded := _damaged_utf8(data, warnings)) is not None:
        return decoded
    sample = _sample(data)
    scores = _scores(data, sample)
    best, second = sorted(scores, key=lambda name: scores[name], reverse=True)[:2]
    sense = _sense(scores[best], sample)
    if sense < _NO_SENSE:
        raise TaskError(
            "undecodable",
            "the bytes are no text in UTF-8, UTF-16, UTF-32, GB18030, Big5, Shift_JIS, EUC-KR or cp1252;"
            " name the right one in `encoding`",
        )
    if scores[best] - scores[second] < _DOUBT:
        warnings.append(f"the encoding was guessed as {best}, but {second} is nearly as likely")
    elif sense < _SENSE:
        warnings.append(f"the encoding was guessed as {best}, in which the text makes little sense")
    decoded = _as(data, best, warnings)
    broken, whole = decoded.text.count("\ufffd"), sum(map(len, _HIGH_RUN.findall(decoded.text)))
    if broken > 1 + max(_BROKEN_OF_HIGH * whole, _BROKEN * len(decoded.text)):
        raise _undecodable(broken, decoded.text, best)
    return decoded


def _scores(data: bytes, sample: bytes) -> dict[str, float]:
    """Return the logarithm of how likely the sample's bytes are in each encoding."""
    scores = {"cp1252": _latin(sample)}
    for name, (language, prior) in _EAST.items():
        text = sample.decode(name, "replace")
        signs = "".join(_HIGH_RUN.findall(text))
        east = likelihood.likelihood(signs, language) * len(signs)
        scores[name] = prior + east + likelihood.ASCII * (len(text) - len(signs))
    if wide := wide_encoding(data[:_HEAD]):
        per_byte = likelihood.likelihood(data[: _HEAD & ~1].decode(wide, "replace"), likelihood.universal) / 2
        scores[wide] = _WIDE_PRIOR + per_byte * len(sample)
    return scores


def _latin(sample: bytes) -> float:
    """Return the logarithm of how likely the sample's bytes are in cp1252."""
    score = 0.0
    for pattern, per_byte in _LATIN:
        count = len(sample)
        sample = pattern.sub(lambda match: match.group().translate(None, _ALL_HIGH), sample)
        score += per_byte * (count - len(sample))
    return _LATIN_PRIOR + score + likelihood.ASCII * len(sample)


def _sense(score: float, sample: bytes) -> float:
    """Return a score for each byte above ASCII."""
    ascii_only = len(sample.translate(None, _ALL_HIGH))
    return (score - likelihood.ASCII * ascii_only) / max(len(sample) - ascii_only, 1)


def _damaged_utf8(data: bytes, warnings: list[str]) -> Decoded | None:
    """Read UTF-8 in which very few bytes are broken, as after a cut at a fixed length."""
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    whole = sum(map(len, _HIGH_RUN.findall(text))) - broken
    if (broken > 1 and broken > whole * 0.02) or whole < 4 * broken:
        return None
    warnings.append(f"{broken} characters are broken UTF-8 and became U+FFFD")
    return Decoded(text, "utf-8", warnings)


def _as(data: bytes, encoding: str, warnings: list[str] | None = None) -> Decoded:
    """Decode in an encoding that is settled; broken characters become U+FFFD and are counted.

    Raises:
      TaskError: undecodable, when more than a trace is broken.
    """
    warnings = warnings or []
    for name in (encoding, "big5hkscs") if encoding == "cp950" else (encoding,):
        if (text := _strictly(data, name)) is not None:
            return Decoded(text, name, warnings)
    text = data.decode(encoding, "replace")
    broken = text.count("\ufffd")
    if broken > 1 + len(text) * 0.05:
        raise _undecodable(broken, text, encoding)
    return Decoded(text, encoding, [*warnings, f"{broken} characters are broken {encoding} and became U+FFFD"])


def _undecodable(broken: int, text: str, encoding: str) -> TaskError:
    return TaskError(
        "undecodable",
        f"{broken:,} of {len(text):,} characters are broken in {encoding}, the best guess;"
        " name the right one in `encoding`",
    )


def _strictly(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeError:
        return None


def _sample(data: bytes) -> bytes:
    """Return what follows the first byte above ASCII in each line that has one, and the character before it."""
    parts, size, at = [], 0, 0
    while size < _SAMPLE and (match := _HIGH.search(data, at)):
        first = match.start() and match.start() - (data[match.start() - 1] != 10)
        end = data.find(b"\n", first)
        at = len(data) if end < 0 else end + 1
        parts.append(data[first : min(at, first + _SAMPLE - size)])
        size += len(parts[-1])
    return b"".join(parts)
