"""What sentences are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class Bilingual(str):
    """A sentence in English that carries its Chinese.

    Parameters:
      code: of a field, one of `fields.CODES`.
    """

    chinese: str
    code: str

    def __new__(cls, english: str, chinese: str = "", code: str = "invalid") -> Bilingual:
        made = super().__new__(cls, english)
        made.chinese, made.code = chinese, code
        return made


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence with places for values.

    Parameters:
      code: of a field, one of `fields.CODES`; a sentence that is about no field needs none.
    """

    english: str
    chinese: str
    code: str = "invalid"

    def of(self, values: Mapping[str, object]) -> Bilingual:
        """Return the sentence with its values; those of a list are joined as each language does it, and
        a sentence among them is said in each."""
        english = {name: _joined(value, ", ", " or ") for name, value in values.items()}
        chinese = {
            name: value.chinese if isinstance(value, Bilingual) else _joined(value, "、", "、")
            for name, value in values.items()
        }
        return Bilingual(self.english.format_map(english), self.chinese.format_map(chinese), self.code)


def _joined(value: object, comma: str, last: str) -> object:
    if not isinstance(value, (list, tuple)):
        return value
    *others, end = map(str, value)
    return comma.join(others) + (last if others else "") + end


@dataclass(frozen=True, slots=True)
class FieldCode:
    """What the code of a field promises."""

    meaning: str
    meaning_zh: str
