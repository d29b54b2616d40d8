"""The control words of RTF that mean text, the groups that hold none, and the encodings that fonts name."""

from __future__ import annotations

#: Control words that stand for characters.
SIGNS = {
    **{"tab": "\t", "line": "\n", "lbr": "\n", "softline": "\n", "emdash": "—", "endash": "–", "bullet": "•"},
    **{"lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”"},
    **{"emspace": "\u2003", "enspace": "\u2002", "qmspace": "\u2005"},
    **{"zwj": "\u200d", "zwnj": "\u200c", "ltrmark": "\u200e", "rtlmark": "\u200f", "nestcell": " "},
}
#: Control symbols that stand for characters; `\-`, where a word may be divided, stands for none.
SYMBOLS = {b"~": "\u00a0", b"_": "-", b"{": "{", b"}": "}", b"\\": "\\"}
PARAGRAPH_ENDS = frozenset(("par", "page", "pagebb", "sect", "column"))
#: Groups that hold no text of the document, or doubles of it, or what every page repeats.
SKIPPED = frozenset(
    (
        *("annotation", "atnauthor", "atnid", "atnref", "bkmkend", "bkmkstart", "colortbl", "comment", "datastore"),
        *("falt", "fchars", "filetbl", "fldinst", "footer", "footerf", "footerl", "footerr", "generator", "header"),
        *("headerf", "headerl", "headerr", "info", "latentstyles", "lchars", "listoverridetable"),
        *("listtable", "nesttableprops", "nonesttables", "nonshppict", "objclass", "objdata", "objname", "operator"),
        *("panose", "pgdsctbl", "pict", "pntxta", "pntxtb", "private", "revtbl", "rsidtbl", "rxe", "shppict", "sn"),
        *("sp", "sv", "tc", "tcn", "template", "themedata", "txe", "wgrffmtfilter", "xe", "xmlnstbl"),
        *("ftncn", "ftnsep", "ftnsepc", "aftncn", "aftnsep", "aftnsepc"),
    )
)
#: Groups that a reader may skip if it does not know them, but that hold text.
KEPT = frozenset(("shpinst", "shptxt", "fldrslt", "footnote", "dptxbxtext", "do", "ud"))
#: The encoding of a font by its `\fcharset`; others are in the document's own.
_CHARSETS = {
    **{77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gb18030", 136: "cp950", 161: "cp1253"},
    **{162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874"},
    **{238: "cp1250", 254: "cp437", 255: "cp850"},
}
#: Charsets of fonts for Chinese, Japanese and Korean.
EAST_ASIAN = frozenset((128, 129, 130, 134, 136))
ORIGINS = {"ansi": "cp1252", "mac": "mac_roman", "pc": "cp437", "pca": "cp850"}


def encoding_of_charset(charset: int) -> str | None:
    """Return the encoding that a font's charset means; None for the document's own."""
    return _CHARSETS.get(charset)
