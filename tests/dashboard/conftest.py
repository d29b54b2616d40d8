"""The pages over HTTP, on one deployment for all the tests of this folder."""

from tests.api.conftest import client, idle, idle_client, kb_id, running

__all__ = ["client", "idle", "idle_client", "kb_id", "running"]
