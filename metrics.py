"""Every Prometheus metric, named once."""

from __future__ import annotations

from dataclasses import dataclass

#: Seconds; from a no-op's millisecond to a stage's longest day.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """A name, what it counts, and its labels. No label ever holds a KB or a task."""

    name: str
    help: str
    kind: str
    labels: tuple[str, ...] = ()


PROCESSING = Metric(
    "task_processing_duration_seconds",
    "Running time of one successful attempt at one stage.",
    "histogram",
    ("task_type",),
)
END_TO_END = Metric("task_end_to_end_seconds", "From submission to the end of a task.", "histogram", ("task_type",))
SUCCESS = Metric("task_success_total", "Stages, and tasks, that completed.", "counter", ("task_type",))
FAILURE = Metric("task_failure_total", "Stages, and tasks, that failed for good.", "counter", ("task_type", "code"))
RETRY = Metric(
    "task_retry_total", "Attempts that failed and were put off to be tried again.", "counter", ("task_type",)
)
CALLBACK = Metric("callback_delivery_total", "Attempts to call the KB service back.", "counter", ("outcome",))
EMBEDDING_TOKENS = Metric(
    "embedding_tokens_total", "Tokens sent to the embedder, as it counts them.", "counter", ("embedder",)
)
NOT_UNDERSTOOD = Metric(
    "queue_message_not_understood_total",
    "Messages that no release has published; dead-lettered.",
    "counter",
    ("queue",),
)
CANCELLED = Metric(
    "queue_consumer_cancelled_total", "Consumers that RabbitMQ ended, and that were made anew.", "counter", ("queue",)
)
UNSERVED = Metric(
    "queue_unserved_total",
    "Looks, every 5 s, at which a queue held messages and had no consumer though a worker says that it serves it.",
    "counter",
    ("queue",),
)
DUTY_FAILURE = Metric(
    "clock_duty_failure_total", "Duties of the clock that failed; each is tried again.", "counter", ("duty",)
)
REQUESTS = Metric(
    "http_requests_total",
    "Requests that were answered, by the template of their route and the class of the status.",
    "counter",
    ("method", "route", "status"),
)
REQUEST_SECONDS = Metric(
    "http_request_duration_seconds",
    "From a request to its answer; of a stream, to its beginning.",
    "histogram",
    ("method", "route"),
)
SEARCH_SECONDS = Metric(
    "search_duration_seconds", "Searches that were answered, by the mode that was asked for.", "histogram", ("mode",)
)
SEARCH_DEGRADED = Metric(
    "search_degraded_total", "Searches that did without vectors, or without the rerank model.", "counter", ("lacking",)
)

QUEUE_SIZE = Metric("task_queue_size", "Tasks that wait for a worker.", "gauge", ("queue",))
OLDEST = Metric(
    "task_queue_oldest_age_seconds",
    "How long the oldest due task of a queue has waited.",
    "gauge",
    ("queue",),
)
UNKNOWN = Metric(
    "task_type_unknown",
    "1 for each type of open tasks that this release leaves to a later one.",
    "gauge",
    ("task_type",),
)
ACTIVE = Metric("worker_pool_active_count", "Worker threads at work.", "gauge")
IDLE = Metric("worker_pool_idle_count", "Worker threads without work.", "gauge")

SERVING = Metric("queue_worker_threads", "Threads of the workers that serve a queue.", "gauge", ("queue",))
CLOCKS = Metric("clock_active_count", "Clocks whose ticks succeed.", "gauge")

PAUSED = Metric("queue_paused", "1 while nothing is started from a queue, since it is paused.", "gauge", ("queue",))
OPEN = Metric("task_open_count", "Tasks that have not ended, by status.", "gauge", ("status",))
BACKLOG = Metric("task_backlog_size", "Tasks that wait, as MAX_BACKLOG counts them: due or not.", "gauge")
BACKLOG_LIMIT = Metric("task_backlog_limit", "MAX_BACKLOG, at which submissions are refused.", "gauge")
OWED = Metric("callback_owed_count", "Callbacks that are to be delivered; 10001 stands for more.", "gauge")
OWED_AGE = Metric("callback_oldest_age_seconds", "How long the oldest callback that is owed has been so.", "gauge")
PROCESSES = Metric("process_active_count", "Processes heard of within a lease.", "gauge", ("kind",))
CLOCK_AGE = Metric(
    "clock_heartbeat_age_seconds",
    "Seconds since a clock whose ticks succeed was heard of; +Inf where there is none.",
    "gauge",
)
PROVIDER_WAIT = Metric(
    "embedding_provider_wait_seconds",
    "Seconds until a provider that is at its limit may be asked again; absent for one that may be asked.",
    "gauge",
    ("provider",),
)
UP = Metric("dependency_up", "1 while a server can be used; 0 while a migration is missing.", "gauge", ("name",))
BUILD = Metric("task_manager_build_info", "1 for the release of the process that answers.", "gauge", ("version",))

MESSAGES = Metric("queue_message_count", "Messages in RabbitMQ that wait for a worker.", "gauge", ("queue",))
DEAD_LETTERS = Metric("queue_dead_letter_count", "Messages in a dead-letter queue.", "gauge", ("queue",))
CONSUMERS = Metric("queue_consumer_count", "Consumers of a queue, as RabbitMQ knows them.", "gauge", ("queue",))

CONNECTIONS = Metric(
    "postgresql_connection_count", "Connections to this database, of anybody, by state.", "gauge", ("state",)
)
MOST_CONNECTIONS = Metric("postgresql_connection_limit", "PostgreSQL's max_connections.", "gauge")
DATABASE_BYTES = Metric("postgresql_database_size_bytes", "The size of this database on disk.", "gauge")
LIVE_ROWS = Metric("postgresql_live_rows", "Rows of a table, as PostgreSQL estimates them.", "gauge", ("table",))
DEAD_ROWS = Metric("postgresql_dead_rows", "Rows of a table that a vacuum is to remove.", "gauge", ("table",))
EVENT_LAG = Metric(
    "event_log_lag_seconds",
    "How long the oldest transaction that writes has gone on: event streams tell nothing of what comes behind it.",
    "gauge",
)

STREAMS = Metric("event_stream_open_count", "Event streams that are open in the process that answers.", "gauge")
MOST_STREAMS = Metric("event_stream_limit", "MAX_STREAMS of that process.", "gauge")
POOL = Metric(
    "database_pool_connection_count", "Connections to PostgreSQL of the process that answers.", "gauge", ("state",)
)
MOST_POOLED = Metric("database_pool_connection_limit", "How many these can be.", "gauge")

#: Of the process that answers, as Prometheus' client library says them.
OF_PROCESS = (
    Metric("process_resident_memory_bytes", "Resident memory of the process that answers.", "gauge"),
    Metric("process_virtual_memory_bytes", "Its virtual memory.", "gauge"),
    Metric("process_cpu_seconds_total", "CPU that it has used.", "counter"),
    Metric("process_start_time_seconds", "When it was started, in Unix time.", "gauge"),
    Metric("process_open_fds", "Its open files.", "gauge"),
    Metric("process_max_fds", "How many these can be.", "gauge"),
)

#: Counted in the tables by whoever acts.
COUNTED = (
    PROCESSING,
    END_TO_END,
    SUCCESS,
    FAILURE,
    RETRY,
    CALLBACK,
    EMBEDDING_TOKENS,
    NOT_UNDERSTOOD,
    CANCELLED,
    UNSERVED,
    DUTY_FAILURE,
    REQUESTS,
    REQUEST_SECONDS,
    SEARCH_SECONDS,
    SEARCH_DEGRADED,
)
#: Read from the tables when they are asked for.
GAUGES_OF_TABLES = (
    QUEUE_SIZE,
    OLDEST,
    SERVING,
    PAUSED,
    UNKNOWN,
    OPEN,
    BACKLOG,
    BACKLOG_LIMIT,
    OWED,
    OWED_AGE,
    ACTIVE,
    IDLE,
    PROCESSES,
    CLOCKS,
    CLOCK_AGE,
    PROVIDER_WAIT,
)
#: Of PostgreSQL and RabbitMQ themselves, and of the process that is asked.
GAUGES_BESIDES = (
    CONNECTIONS,
    MOST_CONNECTIONS,
    DATABASE_BYTES,
    LIVE_ROWS,
    DEAD_ROWS,
    EVENT_LAG,
    MESSAGES,
    DEAD_LETTERS,
    CONSUMERS,
    UP,
    STREAMS,
    MOST_STREAMS,
    POOL,
    MOST_POOLED,
    BUILD,
)
ALL = (*COUNTED, *GAUGES_OF_TABLES, *GAUGES_BESIDES, *OF_PROCESS)
