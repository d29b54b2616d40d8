"""How likely a text is in a language: the scale on which the encodings that bytes may be in are weighed."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable
from math import log, sqrt

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
#: Syllables that text in Korean is full of.
_COMMON_KOREAN = set(
    "이다는의에을를가고하지은로도기한사서인어대시자나리아스해일정수그들과보부라성전으제동있습니것여만주원장구안문우"
    "경조공무상연면야요세유신소물마게적내간모없생거오위되중각개용식선발금까관심방트계말본미저진반러때남화학분단음년"
    "월못점국바데당호산양속행현외결강레린후최명예두드또와차통터카파치회히된할합입녕"
)
_CJK_SIGNS = "“”‘’—…·"
#: What no text holds: characters that are not assigned, and what stands for bytes that are none.
_NONSENSE = -20.0
#: A character of another language, or a rare one, among 20,000.
_FOREIGN = log(0.02 / 20_000)
#: Of a character of ASCII, whatever the encoding.
ASCII = log(1 / 60)
_SIGN = log(0.1 / 200)

Language = Callable[[str], float]


def likelihood(text: str, language: Language) -> float:
    """Return the logarithm of how likely a character of a text is in a language, on the average.

    One that is repeated counts by the root of its number, or the lines of tables would outweigh all words.
    """
    counts = {sign: sqrt(count) for sign, count in Counter(text).items()}
    return sum(language(sign) * count for sign, count in counts.items()) / max(sum(counts.values()), 1)


def simplified(sign: str) -> float:
    """Rate a character in Chinese as China writes it; its daily characters are rows 16 to 55 of GB2312."""
    return _hanzi(sign, "gb2312", (0xB0, 0xD7), daily=log(0.3 / 3755), rare=log(0.005 / 3008))


def traditional(sign: str) -> float:
    """Rate a character in Chinese as Taiwan writes it; its daily characters are level 1 of Big5."""
    return _hanzi(sign, "big5", (0xA4, 0xC6), daily=log(0.2 / 5401), rare=log(0.01 / 7652))


def japanese(sign: str) -> float:
    """Rate a character in Japanese; its daily characters are level 1 of JIS X 0208."""
    if "\u3041" <= sign <= "\u30fe":
        return log(0.5 / 170)
    if "\uff61" <= sign <= "\uff9f":
        return log(0.002 / 63)  # half-width katakana: what other encodings look like when read as Shift_JIS
    daily = log(0.25 / 2965)
    return min(daily, _hanzi(sign, "cp932", (0x88, 0x97), daily=daily, rare=log(0.005 / 3390)))


def korean(sign: str) -> float:
    """Rate a character in Korean; its daily characters are the syllables of KS X 1001."""
    if "\uac00" <= sign <= "\ud7a3":
        if sign in _COMMON_KOREAN:
            return log(0.55 / len(_COMMON_KOREAN))
        # One that the charset lacks is composed of four there.
        return log(0.25 / 2350) if len(sign.encode("euc_kr", "ignore")) == 2 else _FOREIGN
    if _is_sign(sign):
        return _SIGN
    return log(0.01 / 4888) if "\u4e00" <= sign <= "\u9fff" else _otherwise(sign)


def universal(sign: str) -> float:
    """Rate a character in text of any language."""
    if " " <= sign <= "~" or sign in "\t\n\r":
        return ASCII
    if "\u00a0" <= sign < "\u0600":  # Latin, Greek, Cyrillic, Hebrew
        return log(0.5 / 1000)
    return max(simplified(sign), traditional(sign), japanese(sign), korean(sign)) - log(3)  # it may be any of them


def _hanzi(sign: str, charset: str, rows: tuple[int, int], *, daily: float, rare: float) -> float:
    """Rate a character where those in `rows` of a charset are in daily use, and its others are rare."""
    if _is_sign(sign):
        return _SIGN
    if not "\u4e00" <= sign <= "\u9fff":
        return _otherwise(sign)
    if sign in _COMMON:
        return log(0.6 / len(_COMMON))
    lead = sign.encode(charset, "ignore")[:1]
    if not lead:
        return _FOREIGN
    return daily if rows[0] <= lead[0] <= rows[1] else rare


def _otherwise(sign: str) -> float:
    return _NONSENSE if sign == "\ufffd" or unicodedata.category(sign) in ("Cc", "Cn", "Co", "Cs") else _FOREIGN


def _is_sign(sign: str) -> bool:
    """Return whether a character is punctuation, or draws lines, tables and lists, in text of East Asia."""
    return (
        "\u3000" <= sign <= "\u3020"
        or "\uff01" <= sign <= "\uff5e"
        or "\u2460" <= sign <= "\u249b"
        or "\u2500" <= sign <= "\u257f"
        or sign in _CJK_SIGNS
    )
