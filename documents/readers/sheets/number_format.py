"""Numbers as a spreadsheet shows them: by the format code of their cell, dates included."""

from __future__ import annotations

import math
import operator
import re
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache

GENERAL = "General"
_ACCOUNTING = "#,##0;-#,##0"
_ACCOUNTING_CENTS = "#,##0.00;-#,##0.00"
_YEAR_MONTH, _MONTH_DAY = 'yyyy"年"m"月"', 'm"月"d"日"'
_HOUR_MINUTE, _HOUR_SECOND = '上午/下午h"时"mm"分"', '上午/下午h"时"mm"分"ss"秒"'
#: The formats that files name by number only (ECMA-376, 18.8.30). What Excel takes from the system is ISO here.
BUILT_IN = {
    **{1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00"},
    **{14: "yyyy-mm-dd", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM"},
    **{20: "h:mm", 21: "h:mm:ss", 22: "yyyy-mm-dd h:mm", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0"},
    **dict.fromkeys((27, 36, 50, 52, 57), _YEAR_MONTH),
    **dict.fromkeys((28, 29, 51, 53, 54, 58), _MONTH_DAY),
    **{30: "m-d-yy", 31: 'yyyy"年"m"月"d"日"', 32: 'h"时"mm"分"', 33: 'h"时"mm"分"ss"秒"'},
    **{34: _HOUR_MINUTE, 55: _HOUR_MINUTE, 35: _HOUR_SECOND, 56: _HOUR_SECOND},
    **{37: _ACCOUNTING, 38: _ACCOUNTING, 41: _ACCOUNTING, 42: _ACCOUNTING},
    **{39: _ACCOUNTING_CENTS, 40: _ACCOUNTING_CENTS, 43: _ACCOUNTING_CENTS, 44: _ACCOUNTING_CENTS},
    **{48: "##0.0E+0", 49: "@"},
}
_TOKEN = re.compile(
    r'(?P<literal>"[^"]*"?|\\.|[_*].)|(?P<bracket>\[[^\]]*\])|(?P<noon>AM/PM|A/P|上午/下午)|(?P<general>General|@)'
    r"|(?P<exponent>E[+-]0+)|(?P<date>[yY]+|[mM]+|[dD]+|[hH]+|[sS]+(?:\.0+)?|[aA]{3,4})"
    r"|(?P<number>[0#?]+(?:,[0#?]+)*,*|\.[0#?]+,*|\.)|(?P<percent>%)|(?P<other>.)",
    re.DOTALL,
)
_SEPARATOR = re.compile(r'("[^"]*"?|\\.|\[[^\]]*\])|;')
_CONDITION = re.compile(r"\[(<=|>=|<>|<|>|=)(-?[\d.]+)\]")
_ELAPSED = re.compile(r"\[([hHmMsS]+)\]")
_HOLDS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "<>": operator.ne,
}
_SECONDS = {"h": 3600, "m": 60, "s": 1}
_MONTHS = [datetime(1900, month, 1).strftime("%B") for month in range(1, 13)]
_DAYS = [datetime(1900, 1, day).strftime("%A") for day in range(1, 8)]
_LAST_DAY = 2_958_466  # the first that is not in the year 9999

Token = tuple[str, str]


def shown(value: float, code: str = GENERAL, *, since_1904: bool = False) -> str:
    """Write a number as its format code shows it; a code that is not understood shows it as `General` does.

    since_1904: whether dates are counted from 1 January 1904, as workbooks of old Macintoshes do.
    """
    if not math.isfinite(value):
        return str(value)
    tokens, magnitude = _section(value, code)
    if any(kind in ("date", "elapsed") for kind, _ in tokens):
        return _date(value, tokens, since_1904)
    if not any(kind == "number" for kind, _ in tokens) or ("other", "/") in tokens:
        if ("other", "/") in tokens:  # a fraction
            return _general(value)
        parts = [_general(magnitude) if kind == "general" else text for kind, text in tokens]
        return "".join(parts).strip() or _general(value)
    try:
        text = _number(magnitude, tokens)
    except InvalidOperation:  # more digits than anybody reads
        return _general(value)
    return f"-{text}" if magnitude < 0 and re.search("[1-9]", text) else text


def _general(value: float) -> str:
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.15g}".upper()


def _section(value: float, code: str) -> tuple[list[Token], float]:
    """Return the part of a format that is for this number, and the number as that part is to show it."""
    sections = _sections(code)
    for condition, tokens in sections:
        if condition and _HOLDS[condition[0]](value, condition[1]):
            return tokens, value
    plain = [tokens for condition, tokens in sections if not condition]
    if len(plain) < len(sections):
        return (plain or [[("general", "")]])[0], value
    if value < 0 and len(plain) > 1:
        return plain[1], abs(value)
    return (plain[2] if value == 0 and len(plain) > 2 else plain[0]), value


@lru_cache(maxsize=512)
def _sections(code: str) -> list[tuple[tuple[str, float] | None, list[Token]]]:
    """Return the parts of a format, each with the condition that it names."""
    parts, start = [], 0
    for match in _SEPARATOR.finditer(code):
        if not match.group(1):
            parts.append(code[start : match.start()])
            start = match.end()
    parts.append(code[start:])
    tokens = []
    for part in parts:
        condition = _CONDITION.search(part)
        holds = (condition.group(1), float(condition.group(2).strip(".") or 0)) if condition else None
        tokens.append((holds, _tokens(part)))
    return tokens


def _tokens(part: str) -> list[Token]:
    tokens: list[Token] = []
    for match in _TOKEN.finditer(part):
        kind, text = match.lastgroup or "other", match.group()
        if kind == "literal":
            text = text.strip('"') if text[0] == '"' else text[1:] if text[0] == "\\" else ""
        elif kind == "bracket":
            elapsed = _ELAPSED.fullmatch(text)
            currency = text[2:-1].partition("-")[0] if text.startswith("[$") else ""
            kind, text = ("elapsed", elapsed.group(1).lower()) if elapsed else ("literal", currency)
        elif kind == "date":
            text = text.lower()
        elif kind == "other":
            kind = "other" if text == "/" else "literal"
        tokens.append((kind, text))
    return _minutes(tokens)


def _minutes(tokens: list[Token]) -> list[Token]:
    """Tell minutes, called `n` here, from months: those after hours or before seconds."""
    clock = [at for at, (kind, text) in enumerate(tokens) if kind in ("date", "elapsed")]
    for place, at in enumerate(clock):
        kind, text = tokens[at]
        if kind == "date" and text in ("m", "mm"):
            before = tokens[clock[place - 1]][1] if place else ""
            after = tokens[clock[place + 1]][1] if place + 1 < len(clock) else ""
            if before.startswith("h") or after.startswith("s"):
                tokens[at] = (kind, "n" * len(text))
    return tokens


def _number(value: float, tokens: list[Token]) -> str:
    pattern = "".join(text for kind, text in tokens if kind == "number")
    whole, point, decimals = pattern.partition(".")
    scale = 2 * sum(kind == "percent" for kind, _ in tokens) - 3 * (len(pattern) - len(pattern.rstrip(",")))
    number = abs(Decimal(repr(value))).scaleb(scale)
    power = 0
    if any(kind == "exponent" for kind, _ in tokens) and number:
        width = max(len(whole), 1)
        power = number.adjusted() - (number.adjusted() % width if "#" in whole else width - 1)
        number = number.scaleb(-power)
    places = len(decimals.rstrip(","))
    digits = f"{number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):f}"
    integer, _, fraction = digits.partition(".")
    needed = len(decimals.rstrip(",#?"))
    fraction = fraction[:needed] + fraction[needed:].rstrip("0")
    integer = integer.lstrip("0").rjust(whole.count("0"), "0")
    if "," in whole.rstrip(","):
        integer = f"{int(integer or 0):,}".rjust(whole.count("0"), "0") if integer else ""
    return _filled(tokens, integer, point + fraction if fraction or needed else "", power)


def _filled(tokens: list[Token], integer: str, fraction: str, power: int) -> str:
    """Put digits where the format wants them: the first place takes all those that the later ones do not."""
    places = [text for kind, text in tokens if kind == "number" and text[0] != "."]
    parts = []
    for kind, text in tokens:
        if kind == "number" and text[0] == ".":
            parts.append(fraction)
        elif kind == "number":
            places.pop(0)
            later = sum(map(len, places))
            cut = max(len(integer) - later, 0)
            parts.append(integer[:cut] + (fraction if not places and "." not in _points(tokens) else ""))
            integer = integer[cut:]
        elif kind == "exponent":
            sign = "-" if power < 0 else "+" if text[1] == "+" else ""
            parts.append(f"E{sign}{abs(power):0{len(text) - 2}d}")
        else:
            parts.append(text)
    return "".join(parts).strip()


def _points(tokens: list[Token]) -> str:
    return "".join(text[0] for kind, text in tokens if kind == "number")


def _date(value: float, tokens: list[Token], since_1904: bool) -> str:
    if not 0 <= value < _LAST_DAY:
        return _general(value)
    digits = max((len(text.partition(".")[2]) for kind, text in tokens if text[:1] == "s"), default=0)
    seconds = round(value * 86_400, digits)
    first = datetime(1904, 1, 1) if since_1904 else datetime(1899, 12, 30)
    if value < 60 and not since_1904:  # Excel believes that 1900 was a leap year
        first += timedelta(days=1)
    try:
        moment = first + timedelta(seconds=seconds)
    except OverflowError:
        return _general(value)
    halves = any(kind == "noon" for kind, _ in tokens)
    return "".join(_date_part(kind, text, moment, seconds, halves) for kind, text in tokens).strip()


def _date_part(kind: str, text: str, moment: datetime, seconds: float, halves: bool) -> str:
    if kind == "elapsed":
        return f"{int(seconds // _SECONDS[text[0]]):0{len(text)}d}"
    if kind == "noon":
        return text.split("/")[moment.hour >= 12]
    if kind != "date":
        return text
    width = min(len(text), 2)
    match text[0], len(text):
        case "y", length:
            return f"{moment.year:04d}" if length > 2 else f"{moment.year % 100:02d}"
        case "m", length if length > 2:
            name = _MONTHS[moment.month - 1]
            return name if length == 4 else name[:1] if length > 4 else name[:3]
        case "d", length if length > 2:
            return _DAYS[moment.weekday()] if length > 3 else _DAYS[moment.weekday()][:3]
        case "a", length:
            return ("星期" if length > 3 else "") + "一二三四五六日"[moment.weekday()]
        case "s", _:
            whole, _, fraction = text.partition(".")
            second = f"{moment.second:0{min(len(whole), 2)}d}"
            return f"{second}.{moment.microsecond:06d}"[: len(second) + 1 + len(fraction)] if fraction else second
        case "h", _:
            return f"{(moment.hour - 1) % 12 + 1 if halves else moment.hour:0{width}d}"
    return f"{ {'m': moment.month, 'd': moment.day, 'n': moment.minute}[text[0]]:0{width}d}"
