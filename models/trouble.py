"""Why PostgreSQL did not do something, in words that hold no secret: its own may name a user, a host or a row."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

DISK_FULL = "53100"
LOCK_TIMEOUT = "55P03"
TOOK_TOO_LONG = "57014"

#: By the code of an error (PostgreSQL's manual, appendix A).
_BY_CODE = {
    "08": "the connection was lost",
    "25006": "the server is read-only: it is a standby",
    "28": "it refuses the user or the password",
    "28P01": "it refuses the password",
    "3D000": "the database does not exist",
    "40P01": "two transactions waited for each other",
    "42501": "the user may not do this",
    "42703": "a column is missing; run: alembic upgrade head",
    "42883": "a function is missing; run: alembic upgrade head",
    "42P01": "a table is missing; run: alembic upgrade head",
    "53": "it is out of resources",
    DISK_FULL: "its disk is full",
    "53200": "it is out of memory",
    "53300": "it has too many connections",
    LOCK_TIMEOUT: "a lock on a table or a row is held too long",
    TOOK_TOO_LONG: "a statement took too long",
    "57P01": "it is being stopped",
    "57P02": "it has crashed and recovers",
    "57P03": "it is starting or stopping",
    "58": "its system failed, such as a disk that cannot be read",
}

#: By what a server says that refuses a connection, which comes without a code.
_REFUSED = (
    ("password authentication failed", "it refuses the password"),
    ("no password supplied", "it asks for a password"),
    ("no pg_hba.conf entry", "it does not admit this host, user or database"),
    ("too many clients", "it has too many connections"),
    ("too many connections", "it has too many connections"),
    ("remaining connection slots", "it has too many connections"),
    ("no more connections allowed", "it has too many connections"),
    ("the database system is shutting down", "it is starting or stopping"),
    ("database", "does not exist", "the database does not exist"),
    ("role", "does not exist", "the user does not exist"),
    ("certificate", "TLS: the certificate is not accepted"),
    ("SSL", "TLS failed"),
    ("QueuePool limit", "all connections of this process are in use"),
)
#: By what is said where no server answers, or one that cannot have committed anything yet.
_UNREACHED = (
    ("the database system is", "it is starting or stopping"),
    ("could not translate host name", "the host name cannot be resolved"),
    ("Connection refused", "connection refused"),
    ("No such file or directory", "connection refused: there is no socket of a server"),
    ("No route to host", "there is no route to the host"),
    ("Network is unreachable", "the network cannot be reached"),
    ("the connection was lost", "the connection was lost"),
    ("timeout expired", "no answer in time"),
    ("timed out", "no answer in time"),
    ("closed the connection", "the connection was lost"),
    ("connection already closed", "the connection was lost"),
)

_UNDONE = ("connection to server", "could not translate host name", "QueuePool limit", "before the COMMIT")


def why(error: Exception) -> str:
    """Return the cause of a database error, in a few words; where it is not known, the name of the error."""
    code = code_of(error)
    if code is not None and (cause := _BY_CODE.get(code) or _BY_CODE.get(code[:2])):
        return cause
    original = error.orig if isinstance(error, DBAPIError) else error
    if cause := _cause(original, *_REFUSED, *_UNREACHED):
        return cause
    return f"{type(original).__name__}{f' ({code})' if code else ''}"


def _cause(error: BaseException | None, *known: tuple[str, ...]) -> str | None:
    """Return the first cause of which an error says all words."""
    said = str(error)
    return next((cause for *words, cause in known if all(word in said for word in words)), None)


def is_unreached(error: DBAPIError) -> bool:
    """Return whether no server answered, so that as far as is known nothing is committed."""
    if code_of(error) is not None or _cause(error.orig, *_REFUSED):
        return False
    return _cause(error.orig, *_UNREACHED) is not None


def is_undone(error: Exception) -> bool:
    """Return whether nothing of the transaction can have come to be: the server said so, or was never connected."""
    code = code_of(error)
    if code is not None:
        return not code.startswith(("08", "57P"))
    said = str(getattr(error, "orig", None) or error)
    return any(words in said for words in _UNDONE)


def code_of(error: Exception) -> str | None:
    """Return the SQLSTATE of a database error; None where the server said nothing."""
    code = getattr(getattr(error, "orig", None), "pgcode", None)
    return str(code) if code else None
