"""API keys: who holds one, what it lets them do, and on which KBs."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

Role = Literal["scale", "read", "submit", "operate"]
#: From the least to the most: each role may do what those before it may.
ROLES: tuple[Role, ...] = get_args(Role)
FORM = "name:key[:role[:kb+kb…]]"


@dataclass(frozen=True, slots=True)
class Key:
    """A key, its holder's name and rights. Two keys of one name have the same rights: one is to replace the other.

    Parameters:
      kbs: the KBs that it sees and touches; None: all, and what belongs to none.
    """

    name: str
    secret: bytes = field(repr=False)
    role: Role = "operate"
    kbs: frozenset[str] | None = None

    def may(self, role: Role) -> bool:
        """Return whether it has the rights of a role."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def touches(self, kb_id: str | None) -> bool:
        """Return whether it may touch a KB; None stands for what belongs to no KB."""
        return self.kbs is None or kb_id in self.kbs


def parse(entries: Iterable[str]) -> tuple[Key, ...]:
    """Return the keys that the entries of API_KEYS name.

    Raises:
      ValueError: names the entry by its place, and never quotes it: any part of it may be of a secret.
    """
    keys = tuple(_parse(entry, place) for place, entry in enumerate(entries, start=1))
    _refuse_two_rights(keys, lambda key: key.name, "two entries have the same name and different roles or KBs")
    _refuse_two_rights(keys, lambda key: key.secret, "two entries have the same key and different roles or KBs")
    return keys


def holder(keys: Sequence[Key], given: bytes) -> Key | None:
    """Return the key that was given, or None. Each is compared, so that the time tells nothing."""
    found = [key for key in keys if hmac.compare_digest(key.secret, given)]
    return found[0] if found else None


def _parse(entry: str, place: int) -> Key:
    name, secret, role, kbs = [*entry.split(":", 3), *[None] * 4][:4]
    # A key is sent in a header: visible ASCII. An empty one would open to everybody.
    if not re.fullmatch(r"\S+", name or "") or not re.fullmatch(r"[\x21-\x7e]+", secret or ""):
        raise ValueError(f"entry {place} is not of the form {FORM}, with a key in ASCII and without spaces")
    assert name is not None
    assert secret is not None
    known: dict[str | None, Role] = {None: "operate", **{each: each for each in ROLES}}
    if role not in known:
        raise ValueError(
            f"the third part of entry {place} is not a role ({', '.join(ROLES)}); the form is {FORM}, and a key that"
            " holds a colon must be replaced by one without"
        )
    if kbs is None:
        return Key(name, secret.encode(), known[role])
    if role == "scale":
        raise ValueError(f"entry {place} binds a key of role scale to KBs, and it sees none; leave them out")
    named = frozenset(each.strip() for each in kbs.split("+"))
    if "" in named:
        raise ValueError(f"entry {place} names an empty KB; the form is {FORM}, and no KBs at all means every KB")
    return Key(name, secret.encode(), known[role], named)


def _refuse_two_rights(keys: Sequence[Key], by: Callable[[Key], object], problem: str) -> None:
    rights: dict[object, tuple[Role, frozenset[str] | None]] = {}
    for key in keys:
        if rights.setdefault(by(key), (key.role, key.kbs)) != (key.role, key.kbs):
            raise ValueError(problem)
