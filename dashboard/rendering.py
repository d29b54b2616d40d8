"""Templates into HTML: the environment, and how figures, sizes and times are written."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dashboard import static
from dashboard.viewer import Viewer
from dashboard.words import label_of, say_in
from errors import CODES
from models.base import Json

FOLDER = Path(__file__).parent
#: The pages that every page leads to: address, the key that goes there after `g`, and name.
PAGES = (
    ("/", "o", "Overview"),
    ("/tasks", "t", "Tasks"),
    ("/errors", "e", "Errors"),
    ("/batches", "b", "Batches"),
    ("/queues", "q", "Queues"),
    ("/workers", "w", "Workers"),
    ("/kbs", "k", "Knowledge bases"),
    ("/callbacks", "c", "Callbacks"),
    ("/audit", "a", "Audit"),
)

#: Where a page of one of its lists begins.
PLACES = ("cursor", "versions", "failures")
#: How a time begins that stands in an address.
TIME = re.compile(r"\d{4}-\d\d-\d\dT")
#: What error codes mean, in Chinese.
MEANINGS = {name: code.meaning_zh for name, code in CODES.items()}


def number(value: float | None) -> str:
    """Write a figure with thousands apart."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 100 else f"{value:,.1f}"


def size(value: float | None) -> str:
    """Write bytes in the unit that fits."""
    if value is None:
        return "–"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:,.0f} {unit}" if unit == "B" else f"{value:,.1f} {unit}"
        value /= 1024
    return f"{value:,.1f} TiB"


def duration(seconds: float | None) -> str:
    """Write seconds in the unit that fits."""
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    if seconds < 86400:
        return f"{seconds // 3600:.0f} h {seconds % 3600 // 60:.0f} min"
    return f"{seconds // 86400:.0f} d {seconds % 86400 // 3600:.0f} h"


def moment(value: str | datetime | None) -> Markup:
    """Write a time as UTC; the script shows it in the viewer's zone, and this on hover."""
    if value is None:
        return Markup("–")
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return _time(at)


def age(seconds: float, as_of: str) -> Markup:
    """Write since when something lasts, which stays the same; the script counts how long that is."""
    return _time(datetime.fromisoformat(as_of) - timedelta(seconds=seconds), Markup(' class="age"'))


def _time(at: datetime, attributes: str = "") -> Markup:
    at = at.astimezone(UTC)
    exact = f"{at:%Y-%m-%d %H:%M:%S}"
    return Markup('<time datetime="{}" title="{} UTC"{}>{}</time>').format(
        f"{at:%Y-%m-%dT%H:%M:%SZ}", exact, attributes, exact
    )


def now() -> str:
    """Return the time here, from which the script tells how far the viewer's clock is off."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def segment(value: object) -> str:
    """Write an id as one part of a path: it may hold slashes."""
    return quote(str(value), safe="")


def query(values: Mapping[str, object], **changes: object) -> str:
    """Write a query string with these changes; what is None or empty is left out, and the places in lists."""
    changed = {name: value for name, value in {**values, **changes}.items() if name not in PLACES or name in changes}
    return "?" + urlencode({name: value for name, value in changed.items() if value not in (None, "", [])}, doseq=True)


def turned(values: Mapping[str, object], place: str, to: str | None) -> str:
    """Write the query string of another page of one list; the page's other lists stay where they are."""
    return query(values, **{name: values[name] for name in PLACES if name in values} | {place: to})


def each_value(said: object) -> list[str]:
    """Return the values of a parameter, which may have been given several times."""
    return [str(value) for value in said] if isinstance(said, list) else [str(said)]


def named(value: str) -> str | Markup:
    """Write what a filter says: a time as every time, and all else as it is."""
    try:
        return moment(value) if TIME.match(value) else value
    except (ValueError, OverflowError):
        return value


def chosen(values: Mapping[str, object], filters: Collection[str]) -> Json:
    """Return what the body of an action says for everything that a page's filter names."""
    named = {name: value for name, value in values.items() if name in filters}
    return {"filter": named} if named else {"filter": {}, "all": True}


def mark(value: object) -> str:
    """Write what tells a row from all others, whatever stands in its key: an element keeps it wherever it moves."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


def pretty(value: object) -> str:
    """Write JSON to be read."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    filters = (number, size, duration, moment, age, segment, pretty, each_value, named, mark)
    environment.filters.update({filter.__name__: filter for filter in filters})
    environment.globals.update(query=query, turned=turned, chosen=chosen, now=now, meanings=MEANINGS, label_of=label_of)
    environment.globals.update(static=static.address, samples=static.samples, pages=PAGES)
    return environment


_TEMPLATES = _environment()


def whole(template: str, viewer: Viewer, values: Mapping[str, object]) -> str:
    """Render a page."""
    return _TEMPLATES.get_template(template).render(_named(viewer, values))


def live(template: str, viewer: Viewer, values: Mapping[str, object]) -> str:
    """Render that part of a page which changes while it is looked at, as one line."""
    loaded = _TEMPLATES.get_template(template)
    parts = loaded.blocks["live"](loaded.new_context(_named(viewer, values)))
    return "".join(parts).replace("\r", "").replace("\n", "&#10;")


def _named(viewer: Viewer, values: Mapping[str, object]) -> Json:
    return {"_": say_in(viewer.language), "viewer": viewer, "may": viewer.may, **values}
