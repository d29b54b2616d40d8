"""The bench of the stages' tests."""

from tests.actors.conftest import _actors_are_known, bench

__all__ = ["_actors_are_known", "bench"]
