"""The one table of the methods: each does what a route of REST does, and asks of a key what that route does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from string import Formatter
from typing import Any, Literal

from api.access.rules import PREFIX, RULES
from rpc.generated.taskmanager.v1 import document_service_pb2, kb_service_pb2, search_service_pb2, task_service_pb2

#: How what a method is asked becomes a request:
#: - json: the message is its body
#: - query: the message is its query
#: - nothing: the path says all
#: - upload: a stream becomes a form with a document
#: - events: the answer is a stream of events
Kind = Literal["json", "query", "nothing", "upload", "events"]


@dataclass(frozen=True, slots=True)
class Method:
    """A method, and the route that does the same.

    Parameters:
      verb: the HTTP method of the route.
      path: its template; what it names is a field of the message.
      field: the field of the answer that is what REST answers; None: the answer itself is.
    """

    verb: str
    path: str
    kind: Kind
    field: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The fields that the path names."""
        return tuple(name for _, name, _, _ in Formatter().parse(self.path) if name)


TASKS = f"{PREFIX}/tasks"

#: By service and method. What is not named here is not answered.
METHODS: dict[str, Method] = {
    "taskmanager.v1.TaskService/Submit": Method("POST", TASKS, "json"),
    "taskmanager.v1.TaskService/SubmitBatch": Method("POST", f"{TASKS}/batch", "json"),
    "taskmanager.v1.TaskService/Get": Method("GET", f"{TASKS}/{{task_id}}", "query", "task"),
    "taskmanager.v1.TaskService/List": Method("GET", TASKS, "query"),
    "taskmanager.v1.TaskService/Cancel": Method("DELETE", f"{TASKS}/{{task_id}}", "nothing", "task"),
    "taskmanager.v1.TaskService/Retry": Method("POST", f"{TASKS}/{{task_id}}/retry", "nothing", "task"),
    "taskmanager.v1.TaskService/Watch": Method("GET", f"{PREFIX}/events", "events"),
    "taskmanager.v1.DocumentService/UploadDocument": Method("POST", f"{PREFIX}/kbs/{{kb_id}}/documents", "upload"),
    "taskmanager.v1.KbService/DeleteKb": Method("DELETE", f"{PREFIX}/kbs/{{kb_id}}", "nothing"),
    "taskmanager.v1.SearchService/Search": Method("POST", f"{PREFIX}/search", "json"),
}

#: The routes of one task and of one batch, which Watch follows by its `target`.
FOLLOWED = {
    "task_id": Method("GET", f"{TASKS}/{{task_id}}/events", "events"),
    "batch_id": Method("GET", f"{PREFIX}/batches/{{batch_id}}/events", "events"),
}

SERVICES = tuple(
    file.DESCRIPTOR.services_by_name[name]
    for file, name in (
        (task_service_pb2, "TaskService"),
        (document_service_pb2, "DocumentService"),
        (kb_service_pb2, "KbService"),
        (search_service_pb2, "SearchService"),
    )
)


def check(services: Iterable[Any] = SERVICES) -> None:
    """Compare the table with the services and with the rules of the routes.

    Raises:
      RuntimeError: naming what only one of them has; the process must not start.
    """
    described = {f"{service.full_name}/{method.name}" for service in services for method in service.methods}
    if wrong := sorted(described ^ METHODS.keys()):
        raise RuntimeError(f"rpc/methods.py and rpc/proto disagree about {', '.join(wrong)}")
    for route in (*METHODS.values(), *FOLLOWED.values()):
        if (route.verb, route.path) not in RULES:
            raise RuntimeError(
                f"api/access/rules.py has no rule for {route.verb} {route.path}, which rpc/methods.py names"
            )
