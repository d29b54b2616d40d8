"""Characters of fonts for symbols, which have numbers of their own: Greek letters, signs, and boxes of forms."""

from __future__ import annotations

_SYMBOL = {
    **dict(zip(range(0x41, 0x5B), "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ", strict=True)),
    **dict(zip(range(0x61, 0x7B), "αβχδεφγηιϕκλμνοπθρστυϖωξψζ", strict=True)),
    **dict(zip(range(0xA3, 0xA6), "≤⁄∞", strict=True)),
    **dict(zip(range(0xAB, 0xC0), "↔←↑→↓°±″≥×∝∂•÷≠≡≈…⏐⎯↵", strict=True)),
    **{0xC5: "⊕", 0xC7: "∩", 0xC8: "∪", 0xCE: "∈", 0xD1: "∇", 0xD5: "∏", 0xD6: "√", 0xD7: "⋅"},
    **{0xDB: "⇔", 0xDE: "⇒", 0xE5: "∑", 0xF2: "∫"},
}
_WINGDINGS = {
    **{0x6C: "●", 0x6E: "■", 0x6F: "□", 0x71: "□", 0x72: "□", 0x75: "◆", 0xA7: "▪", 0xA8: "□", 0xD8: "➢", 0xE0: "→"},
    **{0xFB: "✗", 0xFC: "✓", 0xFD: "☒", 0xFE: "☑"},
}
_WINGDINGS_2 = {0x4F: "✗", 0x50: "✓", 0x51: "☒", 0x52: "☑", 0x53: "☒", 0x54: "☒", 0xA3: "□", 0x97: "•"}
_FONTS = {"symbol": _SYMBOL, "wingdings": _WINGDINGS, "wingdings 2": _WINGDINGS_2}


def symbol(font: str, number: str) -> str:
    """Return what a font shows for a character by its number, in hexadecimal digits; nothing where that is not known.

    Numbers from F000 to F0FF, which Unicode leaves to fonts, stand for those from 00 to FF.
    """
    try:
        code = int(number, 16)
    except ValueError:
        return ""
    if font.lower() in _FONTS:
        return _FONTS[font.lower()].get(code & 0xFF, "")
    return chr(code) if 0x20 <= code < 0xD800 else ""
