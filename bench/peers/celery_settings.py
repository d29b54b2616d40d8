"""How both peers run Celery: as safe as the service, and as fast as its documentation says."""

from __future__ import annotations

#: Results are in the task's row. Messages are persistent by default; each publish waits for its confirm, and a message
#: is acknowledged when its task is done. The prefetch is that for short tasks
#: (https://docs.celeryq.dev/en/stable/userguide/optimizing.html).
SETTINGS = {
    "task_ignore_result": True,
    "task_acks_late": True,
    "worker_prefetch_multiplier": 64,
    "broker_transport_options": {"confirm_publish": True},
    "broker_connection_retry_on_startup": True,
    "broker_pool_limit": 20,
    "task_send_sent_event": False,
    "worker_send_task_events": False,
}
