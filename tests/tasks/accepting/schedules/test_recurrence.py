"""When a cron expression in a time zone falls due, where the clocks change as well."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.accepting.schedules.recurrence import Recurrence

BERLIN = "Europe/Berlin"
#: Local midnights before the clocks change.
SPRING, AUTUMN = (datetime(2027, *day, tzinfo=ZoneInfo(BERLIN)) for day in ((3, 28), (10, 31)))


def due(recurrence: Recurrence, since: datetime, count: int) -> list[str]:
    """The next due times, each asked for by itself after the one before, as the clock does."""
    times = []
    for _ in range(count):
        since = recurrence.after(since)
        times.append(since.astimezone(ZoneInfo(recurrence.timezone)).isoformat(timespec="minutes")[5:])
    return times


@pytest.mark.parametrize(
    ("cron", "since", "expected"),
    [
        # The hour from 2 to 3 is passed over: what is due in it is due at its end, once.
        ("30 2 * * *", SPRING, ["03-28T03:00+02:00", "03-29T02:30+02:00"]),
        ("0,30 2 * * *", SPRING, ["03-28T03:00+02:00", "03-29T02:00+02:00"]),
        ("0 2,3 * * *", SPRING, ["03-28T03:00+02:00", "03-29T02:00+02:00"]),
        ("30 * * * *", SPRING, ["03-28T00:30+01:00", "03-28T01:30+01:00", "03-28T03:30+02:00"]),
        # It comes twice: what is due in it is due the first time alone, but for what recurs by the hour or the minute.
        ("30 2 * * *", AUTUMN, ["10-31T02:30+02:00", "11-01T02:30+01:00"]),
        ("30 * * * *", AUTUMN + timedelta(hours=2), ["10-31T02:30+02:00", "10-31T02:30+01:00", "10-31T03:30+01:00"]),
        ("*/30 2 * * *", AUTUMN, [f"10-31T02:{minute}+0{zone}:00" for zone in (2, 1) for minute in ("00", "30")]),
        ("0 4 * * *", AUTUMN, ["10-31T04:00+01:00", "11-01T04:00+01:00"]),
    ],
)
def test_where_the_clocks_change(cron: str, since: datetime, expected: list[str]) -> None:
    assert due(Recurrence(cron, BERLIN), since, len(expected)) == expected


def test_days_of_the_week_are_those_of_cron() -> None:
    since = datetime(2026, 11, 30, 12, tzinfo=UTC)
    assert Recurrence("0 9 * * 1").after(since).strftime("%a") == "Mon"
    assert Recurrence("0 9 * * SUN").after(since) == Recurrence("0 9 * * 0").after(since)
    assert Recurrence("0 9 1 * 1").after(since) == datetime(2026, 12, 1, 9, tzinfo=UTC), "the first, or a Monday"


@pytest.mark.parametrize(
    ("cron", "zone", "reason"),
    [
        ("* * * *", "UTC", "must have five fields"),
        ("* * * * * *", "UTC", "must have five fields"),
        ("@daily", "UTC", "must have five fields"),
        ("60 * * * *", "UTC", "bad minute"),
        ("0 0 * * 8", "UTC", "bad day-of-week"),
        ("0 0 31 2 *", "UTC", "bad day-of-month"),
        (f"{'0,' * 60}0 0 * * *", "UTC", "at most 100 characters"),
        ("0 0 * * *", "Mars/Olympus", "'Mars/Olympus' is not a time zone"),
        ("0 0 * * *", "Europe", "'Europe' is not a time zone"),
        ("0 0 * * *", "../../etc/passwd", "is not a time zone"),
        ("0 0 * * *", "localtime", "'localtime' is not a time zone"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_the_reason(cron: str, zone: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Recurrence(cron, zone)


@given(text=st.text(alphabet="0123456789*/,-#LW ?SUNMONJAN", max_size=30))
@settings(max_examples=200)
def test_whatever_is_said_is_understood_or_refused(text: str) -> None:
    try:
        Recurrence(text, BERLIN)
    except ValueError:
        return


MINUTES = st.sampled_from(["*/7", "0", "30", "0,30", "5-50/15"])
HOURS = st.sampled_from(["*", "*/2", "2", "1-3", "2,3", "0"])


@given(minutes=MINUTES, hours=HOURS, change=st.sampled_from([SPRING, AUTUMN]), offset=st.integers(0, 6 * 60))
@settings(max_examples=40, deadline=None)
def test_no_due_time_is_lost_or_doubled_wherever_one_begins_to_count(
    minutes: str, hours: str, change: datetime, offset: int
) -> None:
    recurrence = Recurrence(f"{minutes} {hours} * * *", BERLIN)
    begin = change.astimezone(UTC)
    end = begin + timedelta(hours=30)
    all_of_them = [begin - timedelta(seconds=1)]
    while all_of_them[-1] <= end:
        all_of_them.append(recurrence.after(all_of_them[-1]))
    assert all(one < two for one, two in pairwise(all_of_them))
    moment = begin + timedelta(minutes=offset)
    assert recurrence.after(moment) == next(time for time in all_of_them[1:] if time > moment)
    first, *_ = met = [time for time in all_of_them[1:] if time <= end]
    assert recurrence.latest(first, end, 10_000) == met
    assert recurrence.latest(first, end, 1) == met[-1:]


@pytest.mark.parametrize(
    ("cron", "years", "expected"), [("* * * * *", 30, 100), ("0 0 29 2 *", 30, 7), ("* * 1 1 *", 30, 100)]
)
def test_the_latest_due_times_are_found_after_however_long(cron: str, years: int, expected: int) -> None:
    recurrence, now = Recurrence(cron, BERLIN), datetime(2026, 11, 30, tzinfo=UTC)
    first: Any = recurrence.after(now - timedelta(days=365 * years))
    times = recurrence.latest(first, now, 100)
    assert len(times) == expected
    assert times[-1] <= now < recurrence.after(times[-1])
