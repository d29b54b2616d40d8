"""API keys, and what callbacks are signed with: how they are written, what they allow, and files that hold them."""

from __future__ import annotations

import base64
import hmac
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Literal, TypeVar, get_args

import structlog
from pydantic import SecretStr

from sentences import say

Role = Literal["scale", "read", "submit", "operate"]
#: From the least to the most: each role may do what those before it may.
ROLES: tuple[Role, ...] = get_args(Role)
FORM = "name:key[:role[:kb+kb…]]"


#: Seconds between two looks at a file that holds secrets.
LOOK_EVERY = 2.0

Meaning = TypeVar("Meaning")

log = structlog.get_logger(__name__)


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


#: The keys, as they are now; without any, every caller may come in.
Keys = Callable[[], Sequence[Key]]


def parse(entries: Iterable[str]) -> tuple[Key, ...]:
    """Return the keys that the entries of API_KEYS name.

    Raises:
      ValueError: names the entry by its place, and never quotes it: any part of it may be of a secret.
    """
    keys = tuple(_parse(entry, place) for place, entry in enumerate(entries, start=1))
    _refuse_two_rights(keys, lambda key: key.name, "two entries have the same name and different roles or KBs")
    _refuse_two_rights(keys, lambda key: key.secret, "two entries have the same key and different roles or KBs")
    return keys


def keys_of(text: str) -> tuple[Key, ...]:
    """Return the keys that a file names, comma-separated or one a line.

    Raises:
      ValueError: as `parse`; or there is none, which would let everybody in.
    """
    keys = parse(entry for part in re.split(r"[,\n]", text) if (entry := part.strip()))
    if not keys:
        raise ValueError("holds no key; to ask for none, leave it unset and say AUTH=none")
    return keys


def holder(keys: Sequence[Key], secret: bytes) -> Key | None:
    """Return the key that was given, or None. Each is compared, so that the time tells nothing."""
    matches = [key for key in keys if hmac.compare_digest(key.secret, secret)]
    return matches[0] if matches else None


def _parse(entry: str, place: int) -> Key:
    name, secret, role, kbs = [*entry.split(":", 3), *[None] * 4][:4]
    # A key is sent in a header: visible ASCII. An empty one would open to everybody.
    if not re.fullmatch(r"\S+", name or "") or not re.fullmatch(r"[\x21-\x7e]+", secret or ""):
        raise ValueError(f"entry {place} is not of the form {FORM}, with a key in ASCII and without spaces")
    assert name is not None
    assert secret is not None
    known: dict[str | None, Role] = {None: "operate", **{choice: choice for choice in ROLES}}
    if role not in known:
        raise ValueError(
            f"the third part of entry {place} is not a role ({', '.join(ROLES)}); the form is {FORM}, and a key that"
            " holds a colon must be replaced by one without"
        )
    if kbs is None:
        return Key(name, secret.encode(), known[role])
    if role == "scale":
        raise ValueError(f"entry {place} binds a key of role scale to KBs, and it sees none; leave them out")
    named = frozenset(kb.strip() for kb in kbs.split("+"))
    if "" in named:
        raise ValueError(f"entry {place} names an empty KB; the form is {FORM}, and no KBs at all means every KB")
    return Key(name, secret.encode(), known[role], named)


def _refuse_two_rights(keys: Sequence[Key], by: Callable[[Key], object], problem: str) -> None:
    rights: dict[object, tuple[Role, frozenset[str] | None]] = {}
    for key in keys:
        if rights.setdefault(by(key), (key.role, key.kbs)) != (key.role, key.kbs):
            raise ValueError(problem)


def webhook_secrets(value: SecretStr | None) -> list[str]:
    """Return the secrets that a value holds, comma- or space-separated: while one replaces another, two."""
    return (value.get_secret_value() if value is not None else "").replace(",", " ").split()


def webhook_secret(value: SecretStr | None) -> SecretStr | None:
    """Check what callbacks are signed with.

    Raises:
      ValueError: a part of it is no secret of Standard Webhooks.
    """
    if value is not None and not (all(map(_is_secret, secrets := webhook_secrets(value))) and secrets):
        raise ValueError(say("webhook_secret"))
    return value


def _is_secret(text: str) -> bool:
    prefix, _, key = text.partition("_")
    try:
        return prefix == "whsec" and bool(base64.b64decode(key, validate=True))
    except ValueError:
        return False


class SecretFile(Generic[Meaning]):
    """What a file says, as Docker and Kubernetes mount secrets; read again when it changes.

    Parameters:
      name: of the variable that names it.
      understand: what it says; its ValueErrors never quote the secret.

    Raises:
      ValueError: it cannot be read, or what it holds is wrong.
    """

    def __init__(self, name: str, path: Path, understand: Callable[[str], Meaning]) -> None:
        self._name = name
        self._path = path
        self._understand = understand
        self._told: str | None = None
        self._look_at = time.monotonic() + LOOK_EVERY
        self._state = self._now()
        self._meaning = self._read()

    def get(self) -> Meaning:
        """Return what it says; as long as it cannot be read, or what it holds is wrong, what it said before."""
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_EVERY
            self._look()
        return self._meaning

    def _look(self) -> None:
        try:
            state = self._now()
            if state == self._state:
                return
            self._meaning = self._read()
        except ValueError as error:
            if str(error) != self._told:
                log.warning("secret_not_read", reason=str(error), hint="what it held before stays in use")
            self._told = str(error)
            return
        self._state, self._told = state, None
        log.info("secret_read", variable=self._name)

    def _now(self) -> tuple[int, int, int]:
        """Return what changes with the file, and when a link leads to another."""
        try:
            status = self._path.stat()
        except OSError as error:
            raise self._wrong(error.strerror) from None
        return status.st_mtime_ns, status.st_ino, status.st_size

    def _read(self) -> Meaning:
        try:
            return self._understand(self._path.read_text(encoding="utf-8"))
        except OSError as error:
            raise self._wrong(error.strerror) from None
        except UnicodeDecodeError:
            # Its message would quote a byte.
            raise self._wrong("it is not UTF-8") from None
        except ValueError as error:
            raise self._wrong(str(error)) from None

    def _wrong(self, reason: str | None) -> ValueError:
        return ValueError(f"{self._name}: {self._path} cannot be used: {reason}")
