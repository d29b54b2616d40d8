"""The task types. A module here that defines TYPE is known everywhere: to submissions, queues, metrics and workers."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from pydantic import BaseModel

from models.base import Json


@dataclass(frozen=True, slots=True)
class Stage:
    """A step of a task type: the name of its actor, its queue, and its share of the progress bar.

    Parameters:
      bundle: tasks that one thread claims and ends together; more than one for what takes milliseconds.
    """

    name: str
    queue: str = "default"
    weight: float = 1.0
    bundle: int = 1


@dataclass(frozen=True, slots=True)
class TaskType:
    """What a task of this type is submitted with, and the stages it goes through."""

    name: str
    payload: type[BaseModel]
    stages: tuple[Stage, ...]
    result: type[BaseModel] | None = None
    """What it shows when it has completed; None: whatever its actor says. It describes, and validates nothing."""
    needs_kb: bool = False
    """Whether a submission must name the KB that it works on."""
    is_ours: bool = False
    """Whether only this service makes such tasks, on requests of their own."""
    subject: Callable[[Json], str] | None = None
    """By its payload what in its KB a task works on alone: others that name the same wait until it has ended."""

    def stage(self, name: str) -> Stage:
        """Return the stage of that name.

        Raises:
          KeyError: when this type has no such stage.
        """
        return self.stages[self.position(name)]

    def position(self, name: str) -> int:
        """Return where a stage stands, from 0.

        Raises:
          KeyError: when this type has no such stage.
        """
        for position, stage in enumerate(self.stages):
            if stage.name == name:
                return position
        raise KeyError(f"{self.name} has no stage {name!r}")

    def after(self, name: str) -> Stage | None:
        """Return the stage that follows, or None after the last."""
        position = self.position(name) + 1
        return self.stages[position] if position < len(self.stages) else None

    def before(self, name: str) -> tuple[Stage, ...]:
        """Return the stages that come first, in order."""
        return self.stages[: self.position(name)]

    def progress(self, name: str, share: float) -> float:
        """Return the percent done when `share` (0 to 1) of a stage is done; 100 is left to the end of the task."""
        total = sum(stage.weight for stage in self.stages)
        done = sum(stage.weight for stage in self.before(name))
        return min(99.0, 100 * (done + share * self.stage(name).weight) / total)


@lru_cache(maxsize=1)
def all_types() -> dict[str, TaskType]:
    """Return every task type by name, in the alphabet's order."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return {module.TYPE.name: module.TYPE for module in modules}


def task_type(name: str) -> TaskType:
    """Return the task type of that name.

    Raises:
      KeyError: naming those that exist.
    """
    types = all_types()
    if name not in types:
        raise KeyError(f"no task type {name!r}; there are {', '.join(types)}")
    return types[name]


def all_stages() -> dict[str, Stage]:
    """Return every stage of every type by name."""
    return {stage.name: stage for kind in all_types().values() for stage in kind.stages}


@lru_cache(maxsize=1)
def known() -> list[str]:
    """Return every type with each of its stages, as `type stage`: what `tasks.transitions.KNOWN` asks for."""
    return [f"{kind.name} {stage.name}" for kind in all_types().values() for stage in kind.stages]


def stages_left(name: str) -> int:
    """Return how many stages follow the one of that name; 0 for a last stage."""
    return min(
        len(kind.stages) - kind.position(name) - 1
        for kind in all_types().values()
        if any(stage.name == name for stage in kind.stages)
    )
