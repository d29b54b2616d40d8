"""When a schedule falls due: a cron expression in a time zone, read as Debian's cron reads it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from sentences import say

#: Characters of an expression.
LONGEST = 100
#: How far back the latest due times are looked for at first.
LOOK_BACK = timedelta(hours=1)
#: What a machine sets for itself, what counts leap seconds, and other names of the same.
NOT_SHARED = ("localtime", "posix", "right")


def time_zone(name: str) -> ZoneInfo:
    """Return the time zone of that name.

    Raises:
      ValueError: there is none, or machines do not agree about it.
    """
    try:
        # Also for what is no file's name, or a folder's, such as Europe.
        if name.startswith(NOT_SHARED):
            raise ValueError
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(say("time_zone", name=name[:100])) from None


@dataclass(frozen=True, slots=True)
class Recurrence:
    """The due times of a cron expression.

    What names its minute and its hour is due once a day, also where the clocks change: in the hour that is passed over
    at the end of it, in the hour that comes twice the first time. What recurs by the hour or the minute is due in both
    of these hours, and in none that is passed over.

    Parameters:
      cron: five fields.
      timezone: a name of the IANA database, such as `Europe/Berlin`.

    Raises:
      ValueError: one of them cannot be understood, or it is never due.
    """

    cron: str
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        time_zone(self.timezone)
        if len(self.cron) > LONGEST:
            raise ValueError(say("cron_length", most=LONGEST))
        if len(self.cron.split()) != 5:
            raise ValueError(say("cron_fields"))
        try:
            self.after(datetime.now(UTC))
        except CronSimError as error:
            raise ValueError(say("cron", reason=str(error).lower())) from None

    def after(self, moment: datetime) -> datetime:
        """Return the first due time after a moment, in UTC.

        Raises:
          ValueError: there is none within 50 years.
        """
        first = next(self._from(moment), None)
        if first is None:
            raise ValueError(say("never_due"))
        return first

    def latest(self, first: datetime, now: datetime, most: int) -> list[datetime]:
        """Return the last due times from `first` until now, `most` of them, the oldest first.

        Parameters:
          first: a due time.
        """
        # Searched from behind: a schedule of each minute may have missed half a million.
        span = LOOK_BACK
        while True:
            start = max(first - timedelta(seconds=1), now - span)
            moments: deque[datetime] = deque(maxlen=most)
            for due in self._from(start):
                if due > now:
                    break
                moments.append(due)
            if len(moments) == most or start < first:
                return list(moments)
            span *= 2

    def _from(self, moment: datetime) -> Iterator[datetime]:
        """Yield the due times after a moment, each once."""
        last = moment
        for occurrence in CronSim(self.cron, moment.astimezone(time_zone(self.timezone))):
            due = occurrence.astimezone(UTC)
            # Where an hour comes twice, the library counts from its first time; where one is passed over, two may meet.
            if due > last:
                last = due
                yield due
