"""Three RabbitMQ nodes that are one cluster, on this machine: any one of them may be lost."""

from __future__ import annotations

from pathlib import Path

from tests.guard import Guard
from tests.rabbitmq import RabbitNode
from tests.servers import eventually, free_port

#: Each finds the first one, which starts alone, and comes back to the others by itself when it is started again.
CLUSTERED = """\
cluster_formation.peer_discovery_backend = classic_config
cluster_formation.classic_config.nodes.1 = {first}
cluster_partition_handling = pause_minority
"""


class Member(RabbitNode):
    """A node of a cluster.

    Parameters:
      first: the node that the others join; None: this is it.
    """

    def __init__(self, folder: Path, guard: Guard, first: Member | None) -> None:
        super().__init__(folder, guard, origin="cluster of private nodes")
        self._first = first or self

    @property
    def name(self) -> str:
        """By which the nodes know each other."""
        return f"test-{self.port}@localhost"

    def _configuration(self) -> str:
        return super()._configuration() + CLUSTERED.format(first=self._first.name)

    def _start_mapper(self) -> None:
        if self._first is self:
            super()._start_mapper()
        elif "_distribution_port" not in self.__dict__:
            # All have one port mapper.
            self._mapper_port = self._first._mapper_port
            self._distribution_port = free_port()

    def _environment(self) -> dict[str, str]:
        # The cookie is made in HOME by the first one, and all must have the same.
        return super()._environment() | {"HOME": str(self._first.folder)}


class Trio:
    """The three of them, each of which holds a copy of every quorum queue."""

    def __init__(self, folder: Path, guard: Guard) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        first = Member(folder / "one", guard, None)
        self.members = [first, *(Member(folder / name, guard, first) for name in ("two", "three"))]
        try:
            for member in self.members:
                member.start()
            self.wait_until_whole()
        except BaseException:
            self.close()
            raise

    @property
    def urls(self) -> str:
        """All three, as `RABBITMQ_URL` has them."""
        return ",".join(member.url for member in self.members)

    def wait_until_whole(self) -> None:
        """Wait until each sees the two others run."""
        eventually(self._is_whole, seconds=180, every=0.5, reason="three nodes of RabbitMQ are a cluster")

    def close(self) -> None:
        """End them for good."""
        for member in self.members:
            member.close()

    def _is_whole(self) -> bool:
        seen = [member.management("/nodes") for member in self.members]
        return all([node["running"] for node in nodes] == [True] * len(self.members) for nodes in seen)
