"""Numbers as lists show them: in letters, in Roman numerals, in Chinese."""

from __future__ import annotations

_CHINESE = "零一二三四五六七八九"
#: After z come aa and bb; a number that would take more letters than this is a broken one.
_MOST_LETTERS = 8
_ROMAN = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl")),
    *((10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)


def numeral(number: int, format: str) -> str:
    """Write a number as Word does in one of its formats; formats unknown here are written in digits."""
    if number < 1:
        return str(number)
    match format:
        case "lowerLetter" | "upperLetter":
            letters = chr(ord("a") + (number - 1) % 26) * min((number - 1) // 26 + 1, _MOST_LETTERS)
            return letters.upper() if format == "upperLetter" else letters
        case "lowerRoman" | "upperRoman":
            return _roman(number).upper() if format == "upperRoman" else _roman(number)
        case "chineseCounting" | "chineseCountingThousand" | "japaneseCounting" | "taiwaneseCountingThousand":
            return _chinese(number)
        case "decimalZero":
            return f"{number:02d}"
    return str(number)


def _roman(number: int) -> str:
    if number > 3999:
        return str(number)
    result = ""
    for value, letters in _ROMAN:
        result += letters * (number // value)
        number %= value
    return result


def _chinese(number: int) -> str:
    if number > 999:
        return str(number)
    hundreds, tens, ones = number // 100, number // 10 % 10, number % 10
    result = f"{_CHINESE[hundreds]}百" if hundreds else ""
    if tens:
        result += ("" if tens == 1 and not hundreds else _CHINESE[tens]) + "十"
    elif hundreds and ones:
        result += "零"
    return result + (_CHINESE[ones] if ones else "")
