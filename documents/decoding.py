"""Bytes to text without losing a character: by mark, declaration, UTF-8, else by what makes most sense."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field

from documents.sniffing import looks_utf16
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
    "big5": "big5hkscs",
    "cp950": "big5hkscs",
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
#: Characters that text in Chinese, simplified or traditional, is full of.
_COMMON = set(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行"
    "所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心本前开但因只从想实日军者意无力它"
    "与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新"
    "己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平"
    "系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社"
    "這個們來為國說時會對過發後裡種經麼現當沒動還進樣開從無與長機關點業將兩間問應戰頭體見產話內給門員論處義幾認條"
    "氣題爾別變總電數報結務場計資許統區隊東聲業書車學實"
)
_COMMON_KOREAN = set(
    "이다는의에을를가고하지은로도기한사서인어대시자나리아스해일정수그들과보부라성전으제동있습니것여만주원장구안문우"
    "경조공무상연면야요세유신소물마게적내간모없생거오위되중각개용식선발금까관심방트계말본미저진반러때남화학분단음년"
    "월못점국바데당호산양속행현외결강레린후최명예두드또와차통터카파치회히된할합입녕"
)
_SAMPLE = 256 * 1024
_HIGH_RUN = re.compile(r"[^\x00-\x7f]+")
_LINES_WITH_HIGH = re.compile(rb"[^\n]{0,4096}[\x80-\xff][^\n]{0,4096}")
#: A byte above ASCII that sits among Latin letters, as in "café" and "Übergröße".
_LATIN_WORD = re.compile(rb"[A-Za-z][\xc0-\xff]{1,2}|[\xc0-\xff]{1,2}[A-Za-z]")
_LATIN_SIGN = re.compile(rb"(?<![\x80-\xff])(?:\xa0+|[\x80\x85\x91-\x97\x99\xa1-\xbf])(?![\x80-\xff])")
_INVALID_CP1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
#: How little a guess may lie above the next one before the submitter is told of the doubt.
_DOUBT = 0.05
_CANDIDATES = ("gb18030", "big5hkscs", "cp932", "euc_jp", "cp949", "utf-16-le", "utf-16-be")


@dataclass(slots=True)
class Decoded:
    """A text, the encoding that it was in, and what the submitter should know of any doubt."""

    text: str
    encoding: str
    warnings: list[str] = field(default_factory=list)


def decode(data: bytes, declared: str | None = None) -> Decoded:
    """The text that bytes hold. No byte is dropped: one that fits nowhere becomes U+FFFD, with a warning.

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
    if b"\x00" in data[:65536] and (order := looks_utf16(data[:65536])):
        return _as(data, order, warnings)
    try:
        return Decoded(data.decode("utf-8"), "utf-8", warnings)
    except UnicodeDecodeError:
        return _by_score(data, warnings)


def _as_declared(data: bytes, declared: str, warnings: list[str]) -> Decoded | None:
    encoding = encoding_named(declared)
    if encoding is None:
        warnings.append(f"the declared encoding {declared[:40]!r} is unknown and was not used")
        return None
    if encoding.startswith("cp125") and not data.isascii() and _is_utf8(data):
        warnings.append(f"the text was declared as {declared} but is UTF-8")
        return None
    try:
        return Decoded(data.decode(encoding), encoding)
    except UnicodeError:
        pass
    if encoding == "big5hkscs" and (text := _strictly(data, "cp950")) is not None:
        return Decoded(text, "cp950")
    warnings.append(f"the text was declared as {declared} but does not fit it")
    return None


def encoding_named(name: str) -> str | None:
    """Python's name of an encoding of documents, in its widest form; None for what is none."""
    try:
        info = codecs.lookup(name.strip().strip("\"'"))
    except (LookupError, ValueError):
        return None
    if not getattr(info, "_is_text_encoding", True) or info.name.replace("_", "-") in {
        other.replace("_", "-") for other in _NO_ENCODING
    }:
        return None
    return _WIDER.get(info.name, info.name)


def _by_score(data: bytes, warnings: list[str]) -> Decoded:
    """Weigh the encodings against each other over all that is not ASCII."""
    sample = _sample(data)
    if (decoded := _damaged_utf8(data, warnings)) is not None:
        return decoded
    scores = {name: _score(data[:_SAMPLE] if _is_wide(name) else sample, name) for name in _candidates(data)}
    scores["cp1252"] = _latin_score(sample)
    ranking = sorted(scores, key=lambda name: scores[name], reverse=True)
    best, second = ranking[0], ranking[1]
    if scores[best] <= 0:
        raise TaskError(
            "undecodable",
            "the bytes are no text in UTF-8, UTF-16, GB18030, Big5, Shift_JIS, EUC-KR or cp1252",
        )
    if scores[best] - scores[second] < _DOUBT:
        warnings.append(f"the encoding was guessed as {best}, but {second} is nearly as likely")
    return _as(data, best, warnings)


def _candidates(data: bytes) -> list[str]:
    return [name for name in _CANDIDATES if not _is_wide(name) or (len(data) % 2 == 0 and len(data) > 3)]


def _is_wide(encoding: str) -> bool:
    return encoding.startswith("utf-16")


def _damaged_utf8(data: bytes, warnings: list[str]) -> Decoded | None:
    """UTF-8 in which very few bytes are broken, as after a cut at a fixed length."""
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
    for name in (encoding, "cp950") if encoding == "big5hkscs" else (encoding,):
        if (text := _strictly(data, name)) is not None:
            return Decoded(text, name, warnings)
    text = data.decode(encoding, "replace")
    broken = text.count("\ufffd")
    if broken > 1 + len(text) * 0.05:
        raise TaskError(
            "undecodable", f"{broken:,} of {len(text):,} characters are broken in {encoding}, the best guess"
        )
    return Decoded(text, encoding, [*warnings, f"{broken} characters are broken {encoding} and became U+FFFD"])


def _strictly(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeError:
        return None


def _is_utf8(data: bytes) -> bool:
    return _strictly(data, "utf-8") is not None


def _sample(data: bytes) -> bytes:
    """The lines that hold bytes above ASCII, wherever in the data they begin."""
    parts, size = [], 0
    for match in _LINES_WITH_HIGH.finditer(data):
        parts.append(match.group())
        size += len(parts[-1]) + 1
        if size >= _SAMPLE:
            break
    return b"\n".join(parts)


def _score(sample: bytes, encoding: str) -> float:
    """How much sense the characters above ASCII make when read so: 1 for text, 0 or less for rubbish."""
    text = sample.decode(encoding, "replace")
    signs = "".join(_HIGH_RUN.findall(text))[:60_000]
    if not signs or (_is_wide(encoding) and len(signs) * 2 < len(text)):
        return 0.0
    weigh = _WEIGHTS[encoding]
    return sum(weigh(sign) * count for sign, count in Counter(signs).items()) / len(signs)


def _hanzi(sign: str, encoding: str, levels: tuple[int, int]) -> float:
    """The worth of one character: common ones tell most, those of a charset's second level little."""
    if "\u3000" <= sign <= "\u3020" or "\uff01" <= sign <= "\uff5e" or sign in "“”‘’—…·":
        return 0.9
    if not "\u4e00" <= sign <= "\u9fff":
        return -1.0 if sign == "\ufffd" or unicodedata.category(sign) in ("Co", "Cn") else -0.2
    common = sign in _COMMON
    try:
        lead = sign.encode(encoding)[0]
    except UnicodeEncodeError:
        return 0.9 if common else 0.05
    if common:
        return 1.3
    return 0.8 if levels[0] <= lead <= levels[1] else 0.25


def _chinese(sign: str) -> float:
    return _hanzi(sign, "gb2312", (0xB0, 0xD7))


def _traditional(sign: str) -> float:
    return _hanzi(sign, "big5", (0xA4, 0xC6))


def _japanese(sign: str) -> float:
    if "\u3041" <= sign <= "\u30fe":
        return 1.2
    if "\uff61" <= sign <= "\uff9f":
        return -0.3  # half-width katakana: what other encodings look like when read as Shift_JIS
    return min(0.8, _hanzi(sign, "cp932", (0x88, 0x97)))


def _korean(sign: str) -> float:
    if not "\uac00" <= sign <= "\ud7a3":
        return min(0.3, _hanzi(sign, "gb2312", (0xB0, 0xD7)))
    try:
        sign.encode("euc_kr")
    except UnicodeEncodeError:
        return -0.2
    return 1.3 if sign in _COMMON_KOREAN else 0.5


def _either(sign: str) -> float:
    """UTF-16 makes Chinese characters out of any pair of Latin letters, so rare ones count against it."""
    return max(_chinese(sign), _traditional(sign), 0.9 if "\u3041" <= sign <= "\u30fe" else -1.0) - 0.25


_WEIGHTS = {
    "gb18030": _chinese,
    "big5hkscs": _traditional,
    "cp932": _japanese,
    "euc_jp": _japanese,
    "cp949": _korean,
    "utf-16-le": _either,
    "utf-16-be": _either,
}


def _latin_score(sample: bytes) -> float:
    """The share of the bytes above ASCII that stand where Latin text has them."""
    if _INVALID_CP1252.search(sample):
        return -1.0
    high = len(sample) - len(sample.translate(None, bytes(range(128, 256))))
    fitting: float = sum(len(match.translate(None, bytes(range(128)))) for match in _LATIN_WORD.findall(sample))
    fitting += sum(map(len, _LATIN_SIGN.findall(sample))) * 0.85
    return fitting / max(high, 1) * 0.95
