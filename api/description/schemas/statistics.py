"""What operators are shown of the deployment as a whole: now, over time, what failed, and how many workers it wants."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field, RootModel

from api.description.schemas.shape import Count, Model
from models.base import Json


class Completed(Model):
    """Tasks that completed; null while the clock has noted nothing since."""

    last_minute: int | None
    last_hour: int | None


class Failed(Count):
    """Tasks that failed."""

    by_code: dict[str, int]


class Owed(Count):
    """Callbacks that are to be delivered."""

    failing: int = Field(description="Of which an attempt failed.")
    since: datetime | None = Field(description="When the oldest was owed.")


class Attention(Model):
    """Something that is not as it should be."""

    code: str = Field(description="What programs tell it by; see `docs/statistics.md`.")
    message: str
    message_zh: str
    since: datetime | None = Field(description="Null where nobody noted it.")
    about: Json = Field(description="What the sentence names, such as the `queue`.")


class Overview(Model):
    """The deployment at a glance."""

    as_of: datetime
    waiting: int = Field(description="Tasks that could start.")
    delayed: int = Field(description="Tasks that are not due, or wait for another.")
    oldest_age_seconds: float = Field(description="Of the task that could start for the longest.")
    running: int = Field(description="Stages at work.")
    workers: int
    threads: int
    completed: Completed
    failed_last_hour: Failed
    callbacks_owed: Owed
    attention: list[Attention] = Field(description="Empty when all is well.")


class Series(Model):
    """One line of a plot."""

    name: str
    values: list[float | None] = Field(description="One for each of `times`; null where nothing is known.")


class History(Model):
    """A measure over time."""

    as_of: datetime
    metric: str
    help: str
    unit: str
    window: str
    step_seconds: int
    times: list[int] = Field(description="Unix seconds; each value is of the time since the one before, or then.")
    series: list[Series]


class Example(Model):
    """The newest of several failures."""

    task_id: UUID
    kb_id: str | None
    message: str | None


class ErrorGroup(Model):
    """Failures with the same cause."""

    code: str | None
    stage: str | None
    format: str | None = Field(description="What the document's name ends with; null where it has none.")
    count: int
    kbs: int = Field(description="KBs in which it happened.")
    first_at: datetime
    last_at: datetime
    example: Example
    hint: str | None = Field(description="What can be done.")
    hint_zh: str | None = Field(description="The same in Chinese.")


class Errors(Model):
    """Why tasks failed."""

    as_of: datetime
    since: datetime
    count: int
    capped: bool = Field(description="Whether there are more: these are the newest 10,000.")
    errors: list[ErrorGroup]


class QueueScale(Model):
    """What a queue asks of workers."""

    waiting: int
    running: int
    oldest_age_seconds: float
    seconds_waiting: float = Field(description="Seconds of work: tasks that wait, by what the stages took lately.")
    wanted_threads: int


class Scale(Model):
    """How many workers would do in `target_seconds` what waits."""

    as_of: datetime
    target_seconds: float
    threads_per_worker: int = Field(description="WORKER_POOL_SIZE of the web process; set it alike for workers.")
    workers: int = Field(description="That are alive.")
    waiting: int
    running: int
    oldest_age_seconds: float
    wanted: int = Field(description="Workers, within MAX_CONCURRENT_TASKS and the provider's pace.")
    queues: dict[str, QueueScale]


class HireFireValue(Model):
    """How long the oldest has waited of what a process of this name would work on."""

    name: str = Field(description="`worker`, or a queue.")
    value: float = Field(description="Seconds.")


class HireFire(RootModel[list[HireFireValue]]):
    """What HireFire reads."""
