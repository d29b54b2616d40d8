"""JSON objects with typed fields. No code is generated, so that a class costs microseconds to import."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import NoneType, UnionType
from typing import Any, Self, Union, dataclass_transform, get_args, get_origin, get_type_hints

from task_manager_client.errors import UnexpectedAnswer

Reader = Callable[[Any], Any]


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Shape:
    """An object of an answer; immutable.

    Fields are the annotations of a subclass. Other fields are ignored, and kept in `raw`.
    """

    def __init__(self, **values: object) -> None:
        if unknown := values.keys() - _readers(type(self)).keys():
            raise TypeError(f"{type(self).__name__} has no {', '.join(sorted(unknown))}")
        if missing := [name for name in _readers(type(self)).keys() - values if not hasattr(type(self), name)]:
            raise TypeError(f"{type(self).__name__} needs {', '.join(sorted(missing))}")
        self.__dict__.update(values)

    @classmethod
    def read(cls, value: object) -> Self:
        """Return the object that JSON holds.

        Raises:
          UnexpectedAnswer: a field is missing, or is of another type.
        """
        if not isinstance(value, Mapping):
            raise UnexpectedAnswer(f"a {cls.__name__} should be a JSON object, and is {type(value).__name__}")
        try:
            made = cls(**{name: read(value[name]) for name, read in _readers(cls).items() if name in value})
        except (TypeError, ValueError, AttributeError) as error:
            raise UnexpectedAnswer(f"the answer is no {cls.__name__}: {error}") from None
        made.__dict__["_raw"] = value
        return made

    @property
    def raw(self) -> Mapping[str, Any]:
        """The JSON object as the service sent it."""
        return self.__dict__.get("_raw") or self._fields()

    def _fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _readers(type(self))}

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} cannot be changed")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Shape) and type(other) is type(self) and self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash((type(self), repr(self)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._fields().items())})"


_known: dict[str, dict[str, Reader]] = {}


def _readers(shape: type[Shape]) -> dict[str, Reader]:
    """Return for each field what reads its JSON. Types are looked at when the first answer comes, not at the import."""
    name = f"{shape.__module__}.{shape.__qualname__}"
    if name not in _known:
        _known[name] = {field: reader(kind) for field, kind in get_type_hints(shape).items()}
    return _known[name]


def reader(kind: object) -> Reader:
    """Return what reads the JSON of a type: a Shape, a time, a list, a dict or an optional one of them."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        read = reader(next(member for member in inner if member is not NoneType))
        return lambda value: None if value is None else read(value)
    if origin is list:
        read = reader(inner[0])
        return lambda value: [read(item) for item in value]
    if origin is dict:
        read = reader(inner[1])
        return lambda value: {name: read(part) for name, part in value.items()}
    if kind is datetime:
        return datetime.fromisoformat
    if isinstance(kind, type) and issubclass(kind, Shape):
        return kind.read
    return lambda value: value
