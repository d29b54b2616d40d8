"""A claim: a stage of a task that one thread holds. And what claims are asked for with, and end with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from models.base import Json, trace_id_of
from tasks.accepting.submission import Member
from tasks.dispatching.dispatch import Queues

if TYPE_CHECKING:
    from tasks.transactions.unit import Unit

#: What tells claims apart: the task, the shard's index or None for a whole stage, the attempt.
Key = tuple[UUID, int | None, int]


_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Range:
    """A shard as its worker sees it: which one it is, and its units from `first` to before `last`."""

    index: int
    first: int
    last: int

    @property
    def units(self) -> range:
        """Its units, by their index in the stage."""
        return range(self.first, self.last)


@dataclass(eq=False)
class Claim:
    """A stage of a task in the hands of one thread. `attempt` fences: who lost the row can no longer write it."""

    task_id: UUID
    task_type: str
    stage: str
    attempt: int
    kb_id: str | None
    payload: Json
    timeout: float
    """Seconds this attempt may run."""
    retry_limit: int
    errors: int
    crashes: int
    deaths: int
    """Workers that died with an earlier attempt at this stage; after one, the stage runs alone in a process."""
    shard: Range | None = None
    """The part of a divided stage that is claimed; its own are then `attempt`, `errors`, `crashes` and `deaths`."""
    returns: int = 0
    """Times that this run went back to an earlier stage."""
    joins: bool = False
    """Whether the stage was divided, and all its shards are done."""
    submitted_at: datetime = _NEVER
    metadata: Json | None = None
    """What the submission said of it; None where that was left out."""
    paused: Sequence[str] = ()
    """The queues that were paused when it was claimed."""
    waited: float = 0.0
    """Seconds that the stage was ready before each of its attempts began."""
    request_id: str | None = None
    traceparent: str | None = None
    """Of the request that submitted the task; see `models.Task`."""
    lost: bool = False
    """Whether the row is no longer ours: cancelled, or given to another worker."""

    @property
    def key(self) -> Key:
        """What tells this claim from every other."""
        return self.task_id, self.shard.index if self.shard else None, self.attempt

    @property
    def named(self) -> dict[str, object]:
        """What every line of the log about it says."""
        return {
            "task_id": self.task_id,
            "stage": self.stage,
            "attempt": self.attempt,
            **({} if self.shard is None else {"shard": self.shard.index}),
            **({} if self.request_id is None else {"request_id": self.request_id}),
            **({} if self.traceparent is None else {"trace_id": trace_id_of(self.traceparent)}),
        }


@dataclass(frozen=True, slots=True)
class Wanted:
    """A task and the stage at which it is to be claimed."""

    task_id: UUID
    stage: str


@dataclass(frozen=True, slots=True)
class Passed:
    """A stage that was gone through on the way to the one that is done, without a claim of its own.

    Parameters:
      units: of work, as in `Advance`.
      began, ended: by `time.monotonic`.
    """

    stage: str
    units: int
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Advance:
    """A stage that is done.

    Parameters:
      result: of the task; of a last stage only.
      units: how many units of work the stage had, 0 when it does not count any.
      within: writes that belong to the same transaction, such as the swap of a document's version; called only
        while the claim is held. Gives more of the result.
      shards: the first unit of each shard, and the one behind its last, when the stage is not done but divided.
      anew: whether shards of an earlier attempt count no more, since what they read has changed.
      part: what a shard that is done leaves to whoever joins.
      members: the tasks that this one becomes, under a batch that its result names. It is complete by that, whatever
        stages would follow.
      ends: the task is complete by this stage, whatever stages would follow.
      overtakes: a task type of which those end that were submitted before, to work on the same subject; how many is
        in `result` as `superseded` when `within` is called.
      passed: the claimed stage and those after it, when it is the last of these and the one behind that is done too.
      first: writes of some size that belong to the same transaction, before the task's row is locked. It is the
        thread's own then: others do not wait for it.
      otherwise: what to write down instead where `first` or `within` raises an error.
    """

    claim: Claim
    result: Json = field(default_factory=dict)
    units: int = 0
    within: Callable[[Unit], Json] | None = None
    shards: Sequence[tuple[int, int]] = ()
    anew: bool = False
    part: bytes | None = None
    members: Sequence[Member] = ()
    ends: bool = False
    overtakes: str | None = None
    passed: Sequence[Passed] = ()
    first: Callable[[Unit], None] | None = None
    otherwise: Advance | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """What a thread hands in between two pieces of work: what is done, and a wish for more.

    Parameters:
      wanted: None: the thread takes no more.
      woken: it was idle until a message came: where more waits, others are to be woken as well.
    """

    done: Sequence[Advance] = ()
    wanted: Queues | None = None
    woken: bool = False


@dataclass(slots=True)
class Answer:
    """What came of a turn.

    Parameters:
      over: for each stage that was done what `tasks.working.work.advance` says.
      claims: what the thread is to run next.
    """

    over: list[bool | Claim]
    claims: list[Claim] = field(default_factory=list)
