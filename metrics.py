"""Every Prometheus metric, named once."""

from __future__ import annotations

from dataclasses import dataclass

#: Seconds; from a no-op's millisecond to a stage's longest day.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """A name, what it counts, in English and Chinese, and its labels. No label ever holds a KB or a task."""

    name: str
    help: str
    help_zh: str
    kind: str
    labels: tuple[str, ...] = ()


PROCESSING = Metric(
    "task_processing_duration_seconds",
    "Running time of one successful attempt at one stage.",
    "一个阶段一次成功执行的耗时。",
    "histogram",
    ("task_type",),
)
END_TO_END = Metric(
    "task_end_to_end_seconds",
    "From submission to the end of a task.",
    "任务从提交到结束的时间。",
    "histogram",
    ("task_type",),
)
SUCCESS = Metric(
    "task_success_total", "Stages, and tasks, that completed.", "完成的阶段和任务。", "counter", ("task_type",)
)
FAILURE = Metric(
    "task_failure_total",
    "Stages, and tasks, that failed for good.",
    "最终失败的阶段和任务。",
    "counter",
    ("task_type", "code"),
)
RETRY = Metric(
    "task_retry_total",
    "Attempts that failed and were put off to be tried again.",
    "失败后推迟重试的执行次数。",
    "counter",
    ("task_type",),
)
CALLBACK = Metric(
    "callback_delivery_total",
    "Attempts to call the KB service back.",
    "对知识库服务的回调次数。",
    "counter",
    ("outcome",),
)
EMBEDDING_TOKENS = Metric(
    "embedding_tokens_total",
    "Tokens sent to the embedder, as it counts them.",
    "发给嵌入模型的 token 数，按模型自己的计数。",
    "counter",
    ("embedder",),
)
NOT_UNDERSTOOD = Metric(
    "queue_message_not_understood_total",
    "Messages that no release has published; dead-lettered.",
    "任何版本都没有发布过的消息；进入死信队列。",
    "counter",
    ("queue",),
)
CANCELLED = Metric(
    "queue_consumer_cancelled_total",
    "Consumers that RabbitMQ ended, and that were made anew.",
    "被 RabbitMQ 终止后重新建立的消费者。",
    "counter",
    ("queue",),
)
UNSERVED = Metric(
    "queue_unserved_total",
    "Looks, every 5 s, at which a queue held messages and had no consumer though a worker says that it serves it.",
    "每 5 秒检查一次：队列中有消息却没有消费者，而有 worker 声明处理该队列的次数。",
    "counter",
    ("queue",),
)
DUTY_FAILURE = Metric(
    "clock_duty_failure_total",
    "Duties of the clock that failed; each is tried again.",
    "clock 的例行工作失败的次数；每项都会重试。",
    "counter",
    ("duty",),
)
REQUESTS = Metric(
    "http_requests_total",
    "Requests that were answered, by the template of their route and the class of the status.",
    "已应答的请求，按路由模板和状态码类别。",
    "counter",
    ("method", "route", "status"),
)
REQUEST_SECONDS = Metric(
    "http_request_duration_seconds",
    "From a request to its answer; of a stream, to its beginning.",
    "从请求到应答的时间；事件流则到其开始为止。",
    "histogram",
    ("method", "route"),
)
SEARCH_SECONDS = Metric(
    "search_duration_seconds",
    "Searches that were answered, by the mode that was asked for.",
    "已应答的检索，按请求的模式。",
    "histogram",
    ("mode",),
)
SEARCH_DEGRADED = Metric(
    "search_degraded_total",
    "Searches that did without vectors, or without the rerank model.",
    "没有用上向量或重排模型的检索。",
    "counter",
    ("lacking",),
)

QUEUE_SIZE = Metric("task_queue_size", "Tasks that wait for a worker.", "等待 worker 的任务。", "gauge", ("queue",))
OLDEST = Metric(
    "task_queue_oldest_age_seconds",
    "How long the oldest due task of a queue has waited.",
    "队列中最早到期的任务已等待的时间。",
    "gauge",
    ("queue",),
)
UNKNOWN = Metric(
    "task_type_unknown",
    "1 for each type of open tasks that this release leaves to a later one.",
    "未结束的任务中，本版本不认识、留给更新版本执行的每种任务类型各为 1。",
    "gauge",
    ("task_type",),
)
ACTIVE = Metric("worker_pool_active_count", "Worker threads at work.", "正在工作的 worker 线程。", "gauge")
IDLE = Metric("worker_pool_idle_count", "Worker threads without work.", "空闲的 worker 线程。", "gauge")

SERVING = Metric(
    "queue_worker_threads",
    "Threads of the workers that serve a queue.",
    "处理该队列的 worker 线程数。",
    "gauge",
    ("queue",),
)
CLOCKS = Metric("clock_active_count", "Clocks whose ticks succeed.", "正常运行的 clock。", "gauge")

PAUSED = Metric(
    "queue_paused",
    "1 while nothing is started from a queue, since it is paused.",
    "队列暂停、不再开始新任务时为 1。",
    "gauge",
    ("queue",),
)
OPEN = Metric(
    "task_open_count", "Tasks that have not ended, by status.", "未结束的任务，按状态。", "gauge", ("status",)
)
BACKLOG = Metric(
    "task_backlog_size",
    "Tasks that wait, as MAX_BACKLOG counts them: due or not.",
    "等待中的任务，按 MAX_BACKLOG 的计法：无论是否到期。",
    "gauge",
)
BACKLOG_LIMIT = Metric(
    "task_backlog_limit", "MAX_BACKLOG, at which submissions are refused.", "MAX_BACKLOG，达到后拒绝提交。", "gauge"
)
OWED = Metric(
    "callback_owed_count",
    "Callbacks that are to be delivered; 10001 stands for more.",
    "待投递的回调；10001 表示更多。",
    "gauge",
)
OWED_AGE = Metric(
    "callback_oldest_age_seconds",
    "How long the oldest callback that is owed has been so.",
    "最早的待投递回调已等待的时间。",
    "gauge",
)
PROCESSES = Metric(
    "process_active_count", "Processes heard of within a lease.", "租约期内有心跳的进程。", "gauge", ("kind",)
)
CLOCK_AGE = Metric(
    "clock_heartbeat_age_seconds",
    "Seconds since a clock whose ticks succeed was heard of; +Inf where there is none.",
    "距正常运行的 clock 上次心跳的秒数；没有时为 +Inf。",
    "gauge",
)
PROVIDER_WAIT = Metric(
    "embedding_provider_wait_seconds",
    "Seconds until a provider that is at its limit may be asked again; absent for one that may be asked.",
    "达到限额的服务商还要多少秒才能再次请求；可以请求的服务商没有此指标。",
    "gauge",
    ("provider",),
)
UP = Metric(
    "dependency_up",
    "1 while a server can be used; 0 while a migration is missing.",
    "服务器可用时为 1；缺少迁移时为 0。",
    "gauge",
    ("name",),
)
BUILD = Metric(
    "task_manager_build_info",
    "1 for the release of the process that answers.",
    "应答进程的版本为 1。",
    "gauge",
    ("version",),
)

STAGE = Metric(
    "task_stage_info",
    "1 for each stage of a document: what has its name as `task_type` is of a stage and not of a task.",
    "文档的每个阶段各为 1：`task_type` 为其名称的数据属于阶段，而非任务。",
    "gauge",
    ("task_type",),
)
MESSAGES = Metric(
    "queue_message_count",
    "Messages in RabbitMQ that wait for a worker.",
    "RabbitMQ 中等待 worker 的消息。",
    "gauge",
    ("queue",),
)
DEAD_LETTERS = Metric(
    "queue_dead_letter_count", "Messages in a dead-letter queue.", "死信队列中的消息。", "gauge", ("queue",)
)
CONSUMERS = Metric(
    "queue_consumer_count",
    "Consumers of a queue, as RabbitMQ knows them.",
    "队列的消费者，RabbitMQ 的数据。",
    "gauge",
    ("queue",),
)

CONNECTIONS = Metric(
    "postgresql_connection_count",
    "Connections to this database, of anybody, by state.",
    "到本数据库的全部连接，按状态。",
    "gauge",
    ("state",),
)
MOST_CONNECTIONS = Metric(
    "postgresql_connection_limit", "PostgreSQL's max_connections.", "PostgreSQL 的 max_connections。", "gauge"
)
DATABASE_BYTES = Metric(
    "postgresql_database_size_bytes", "The size of this database on disk.", "本数据库占用的磁盘空间。", "gauge"
)
LIVE_ROWS = Metric(
    "postgresql_live_rows",
    "Rows of a table, as PostgreSQL estimates them.",
    "表的行数，PostgreSQL 的估计值。",
    "gauge",
    ("table",),
)
DEAD_ROWS = Metric(
    "postgresql_dead_rows",
    "Rows of a table that a vacuum is to remove.",
    "表中等待 vacuum 清理的行数。",
    "gauge",
    ("table",),
)
EVENT_LAG = Metric(
    "event_log_lag_seconds",
    "How long the oldest transaction that writes has gone on: event streams tell nothing of what comes behind it.",
    "最早的写事务已持续的时间：事件流不会给出排在它之后的事件。",
    "gauge",
)

STREAMS = Metric(
    "event_stream_open_count",
    "Event streams that are open in the process that answers.",
    "应答进程中打开的事件流。",
    "gauge",
)
MOST_STREAMS = Metric("event_stream_limit", "MAX_STREAMS of that process.", "该进程的 MAX_STREAMS。", "gauge")
POOL = Metric(
    "database_pool_connection_count",
    "Connections to PostgreSQL of the process that answers.",
    "应答进程到 PostgreSQL 的连接。",
    "gauge",
    ("state",),
)
MOST_POOLED = Metric("database_pool_connection_limit", "How many these can be.", "其上限。", "gauge")

#: Of the process that answers, as Prometheus' client library says them.
OF_PROCESS = (
    Metric(
        "process_resident_memory_bytes", "Resident memory of the process that answers.", "应答进程的常驻内存。", "gauge"
    ),
    Metric("process_virtual_memory_bytes", "Its virtual memory.", "其虚拟内存。", "gauge"),
    Metric("process_cpu_seconds_total", "CPU that it has used.", "其已使用的 CPU 时间。", "counter"),
    Metric("process_start_time_seconds", "When it was started, in Unix time.", "其启动时间（Unix 时间）。", "gauge"),
    Metric("process_open_fds", "Its open files.", "其打开的文件数。", "gauge"),
    Metric("process_max_fds", "How many these can be.", "其上限。", "gauge"),
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
    STAGE,
    STREAMS,
    MOST_STREAMS,
    POOL,
    MOST_POOLED,
    BUILD,
)
ALL = (*COUNTED, *GAUGES_OF_TABLES, *GAUGES_BESIDES, *OF_PROCESS)


def table(*, chinese: bool = False) -> str:
    """Return every metric, as the page of docs/ lists them."""
    heads = "指标 | 种类 | 标签 | 含义" if chinese else "metric | kind | labels | what it is"
    rows = "".join(
        f"| `{metric.name}` | {metric.kind} | {', '.join(f'`{label}`' for label in metric.labels)} |"
        f" {metric.help_zh if chinese else metric.help} |\n"
        for metric in ALL
    )
    return f"| {heads} |\n|---|---|---|---|\n{rows}"
