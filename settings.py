"""Every environment variable, typed, read once."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import quote

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

import addresses
from keys import Key, SecretFile, keys_of, parse, webhook_secret

#: The newest release in CHANGELOG.md; `main` is what comes after it.
VERSION = "0.2.0"

#: What the names of queues may begin with.
QUEUE_PREFIX = re.compile(r"[A-Za-z0-9._-]{0,60}")

Priority = Literal["low", "normal", "high", "urgent"]
#: Who turns texts into vectors: this service itself, a model on this machine, or an API.
Provider = Literal["local", "e5", "onnx", "cohere", "openai"]

#: Event streams that may be open where gRPC is served, unless MAX_STREAMS is set: 1,000 of one caller, which gets half,
#: and those that just end. There many share a connection; over HTTP each has one, and so a file, of its own.
STREAMS_BESIDE_GRPC = 2500
#: Seconds in which a connection must have said what it asks for.
HEADERS_WITHIN = 30.0
#: What is logged when a process listens beyond its machine and asks for no key.
NO_KEYS = (
    "whoever reaches this port may do everything: set API_KEYS or API_KEYS_FILE, or say AUTH=none if that is meant"
)


def _comma_separated(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _begins(*beginnings: str) -> AfterValidator:
    """Check what a value has to begin with, where it is set."""

    def check(value: SecretStr | str | None) -> SecretStr | str | None:
        shown = value.get_secret_value() if isinstance(value, SecretStr) else value
        if shown is not None and not shown.startswith(beginnings):
            raise ValueError(f"does not begin with {' or '.join(beginnings)}")
        return value

    return AfterValidator(check)


def _readable_keys(entries: list[SecretStr]) -> list[SecretStr]:
    parse(entry.get_secret_value() for entry in entries)
    return entries


@lru_cache(maxsize=1)
def _parsed(entries: tuple[str, ...]) -> tuple[Key, ...]:
    return parse(entries)


@cache
def _keys_in(path: Path) -> SecretFile[tuple[Key, ...]]:
    return SecretFile("API_KEYS_FILE", path, keys_of)


@cache
def _callback_secret_in(path: Path) -> SecretFile[SecretStr | None]:
    return SecretFile("CALLBACK_SECRET_FILE", path, lambda text: webhook_secret(SecretStr(text)))


def _absolute_file(value: Path | None) -> Path | None:
    if value is not None and not value.is_absolute():
        raise ValueError("must be an absolute path of a file")
    return value


def _absolute_path(value: Path | None) -> Path | None:
    if value is not None and not value.is_absolute():
        raise ValueError("must be an absolute path of a folder")
    return value


def _absolute(folders: list[str] | None) -> list[str] | None:
    if not all(Path(folder).is_absolute() for folder in folders or ()):
        raise ValueError("a folder is not an absolute path")
    return folders


def _queue_prefix(value: str) -> str:
    if not QUEUE_PREFIX.fullmatch(value) or value.startswith("amq."):
        raise ValueError("is not made of at most 60 letters, digits and -_., or begins with amq., which is RabbitMQ's")
    return value


CommaSeparated = Annotated[list[str], BeforeValidator(_comma_separated)]
#: Hosts that may be private: `host`, `host:port`, or a network such as `10.0.0.0/8`.
Hosts = Annotated[CommaSeparated, AfterValidator(addresses.hosts)]
#: The URL of a PostgreSQL.
Database = Annotated[SecretStr | None, _begins("postgres://", "postgresql://", "postgresql+psycopg2://")]
#: An address over HTTP.
Web = _begins("http://", "https://")

#: What a good value looks like; shown when a bad one stops the start.
EXAMPLES = {
    "PORT": "8084",
    "GRPC_PORT": "8085",
    "LOG_LEVEL": "info",
    "LOG_FORMAT": "json",
    "ENVIRONMENT": "production",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318",
    "DATABASE_URL": "postgresql://user:password@host:5432/tasks",
    "DATABASE_READ_URL": "postgresql://user:password@replica:5432/tasks",
    "POSTGRES_PORT": "5432",
    "RABBITMQ_URL": "amqp://user:password@host:5672/%2F",
    "QUEUE_TYPE": "quorum",
    "QUEUE_PREFIX": "staging.",
    "RATE_LIMIT_PER_MINUTE": "600",
    "EMBED_REQUESTS_PER_MINUTE": "2000",
    "EMBED_TOKENS_PER_MINUTE": "1000000",
    "AUTH": "keys",
    "API_KEYS_FILE": "/run/secrets/api_keys",
    "CALLBACK_SECRET_FILE": "/run/secrets/callback_secret",
    "API_KEYS": "kb:s3cret:submit:handbook,ops:an0ther",
    "CALLBACK_SECRET": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    "CALLBACK_ALLOWED_HOSTS": "kb.internal,10.0.0.5",
    "SOURCE_ROOTS": "s3://bucket/prefix,file:///srv/docs",
    "SOURCE_ALLOWED_HOSTS": "wiki.internal,files.internal:8080,10.20.0.0/16",
    "UPLOAD_ROOTS": "/srv/uploads",
    "STORAGE_URL": "s3://bucket/prefix",
    "KB_CALLBACK_URL": "https://kb.example.com/callbacks",
    "EMBEDDER": "cohere",
    "COHERE_BASE_URL": "https://api.cohere.com",
    "EMBEDDING_BASE_URL": "http://localhost:11434/v1",
    "EMBEDDING_API_KEY": "the key that the endpoint gave you",
    "EMBEDDING_PRICE": "0.02",
    "EMBEDDING_MODEL_PATH": "/srv/models/bge-m3",
    "EMBEDDING_TOKENIZER": "/srv/models/tokenizer.json",
    "COHERE_API_KEY": "the key from dashboard.cohere.com",
    "RERANK": "cohere",
    "RERANK_BASE_URL": "http://localhost:8000/v1",
    "RERANK_MODEL": "BAAI/bge-reranker-v2-m3",
}


class Settings(BaseModel):
    """The environment of one process. A field is the variable of the same name in capitals."""

    model_config = {"frozen": True, "extra": "ignore", "allow_inf_nan": False}

    port: int = Field(8084, ge=0, le=65535)
    grpc_port: int = Field(8085, ge=0, le=65535)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] | None = None
    environment: Literal["development", "production"] = "development"
    otel_exporter_otlp_endpoint: Annotated[str | None, Web] = None

    database_url: Database = None
    database_read_url: Database = None
    postgres_host: str | None = None
    postgres_port: int = Field(5432, ge=1, le=65535)
    postgres_db: str = "tasks"
    postgres_user: str = "postgres"
    postgres_password: SecretStr = SecretStr("")
    rabbitmq_url: Annotated[
        list[Annotated[SecretStr, _begins("amqp://", "amqps://")]], BeforeValidator(_comma_separated)
    ] = []
    queue_type: Literal["classic", "quorum"] = "classic"
    queue_prefix: Annotated[str, AfterValidator(_queue_prefix)] = ""

    worker_pool_size: int = Field(10, ge=1, le=256)
    max_concurrent_tasks: int = Field(50, ge=1)
    max_backlog: int = Field(1_000_000, ge=1)
    rate_limit_per_minute: int | None = Field(None, ge=1)
    task_timeout: float = Field(300, gt=0)
    max_retry_attempts: int = Field(3, ge=0, le=20)
    retry_backoff_factor: float = Field(2, ge=1, le=10)
    lease_seconds: float = Field(30, ge=2)
    shutdown_timeout: float = Field(25, ge=1)
    web_concurrency: int = Field(1, ge=1)
    max_streams: int = Field(500, ge=0)
    retention_completed_days: float = Field(30, ge=1)
    retention_failed_days: float = Field(90, ge=1)

    data_dir: Path = Path(".data")
    storage_url: str | None = None
    upload_roots: Annotated[CommaSeparated | None, AfterValidator(_absolute)] = None
    source_allowed_hosts: Hosts = []
    source_roots: Annotated[CommaSeparated, AfterValidator(addresses.roots)] = []
    keep_originals: bool = True
    max_document_bytes: int = Field(100 * 1024 * 1024, ge=1)

    auth: Literal["keys", "none"] | None = None
    api_keys: Annotated[list[SecretStr], BeforeValidator(_comma_separated), AfterValidator(_readable_keys)] = []
    api_keys_file: Annotated[Path | None, AfterValidator(_absolute_file)] = None

    embedder: Provider = "local"
    cohere_api_key: SecretStr | None = None
    cohere_model: str = "embed-v4.0"
    cohere_base_url: Annotated[str | None, Web] = None
    embedding_base_url: Annotated[str | None, Web] = None
    embedding_api_key: SecretStr | None = None
    embedding_model: str = "text-embedding-3-small"
    embedding_batch_size: int = Field(32, ge=1, le=2048)
    embedding_query_prefix: str | None = None
    embedding_document_prefix: str | None = None
    embedding_model_path: Annotated[Path | None, AfterValidator(_absolute_path)] = None
    embedding_price: float | None = Field(None, ge=0)
    embedding_tokenizer: Annotated[Path | None, AfterValidator(_absolute_file)] = None
    embed_requests_per_minute: int | None = Field(None, ge=1)
    embed_tokens_per_minute: int | None = Field(None, ge=1)

    rerank: Literal["cohere", "endpoint"] | None = None
    rerank_base_url: Annotated[str | None, Web] = None
    rerank_api_key: SecretStr | None = None
    rerank_model: str | None = None

    kb_callback_url: Annotated[str | None, Web, AfterValidator(addresses.without_credentials)] = None
    callback_secret: Annotated[SecretStr | None, AfterValidator(webhook_secret)] = None
    callback_secret_file: Annotated[Path | None, AfterValidator(_absolute_file)] = None
    callback_allowed_hosts: Hosts = []

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.embedder == "cohere" and self.cohere_api_key is None:
            raise ValueError("COHERE_API_KEY: is not set, and EMBEDDER=cohere needs it")
        if self.embedder == "onnx" and self.embedding_model_path is None:
            raise ValueError("EMBEDDING_MODEL_PATH: is not set, and EMBEDDER=onnx needs it")
        if self.embedder == "openai" and self.embedding_api_key is None and self.embedding_base_url is None:
            raise ValueError("EMBEDDING_API_KEY: is not set, and EMBEDDER=openai needs it or EMBEDDING_BASE_URL")
        if self.rerank == "cohere" and self.cohere_api_key is None:
            raise ValueError("COHERE_API_KEY: is not set, and RERANK=cohere needs it")
        if self.rerank == "endpoint" and self.rerank_base_url is None:
            raise ValueError("RERANK_BASE_URL: is not set, and RERANK=endpoint needs it")
        if self.rerank == "endpoint" and self.rerank_model is None:
            raise ValueError("RERANK_MODEL: is not set, and RERANK=endpoint needs it")
        for name in ("api_keys", "callback_secret"):
            if getattr(self, name) and getattr(self, f"{name}_file"):
                raise ValueError(f"{name.upper()}_FILE: is set, and {name.upper()} as well; set one of them")
        # A file that cannot be used stops the start.
        self.current_keys()
        self.current_callback_secret()
        has_keys = bool(self.api_keys or self.api_keys_file)
        if self.environment == "production" and not has_keys and self.auth != "none":
            raise ValueError("API_KEYS: is not set; in production say AUTH=none if every caller may come in")
        if self.auth == "keys" and not has_keys:
            raise ValueError("API_KEYS: is not set, and AUTH=keys needs it")
        own = (f"file://{self.data_dir.resolve()}", self.storage_url)
        if any(addresses.overlap(root, place) for root in self.source_roots for place in own if place is not None):
            raise ValueError("SOURCE_ROOTS: holds DATA_DIR or STORAGE_URL, where the documents of all KBs lie")
        return self

    def with_grpc(self) -> Self:
        """Return the settings of a process that serves gRPC, which has room for more event streams by default."""
        is_set = "max_streams" in self.model_fields_set
        return self if is_set else self.model_copy(update={"max_streams": STREAMS_BESIDE_GRPC})

    @property
    def embedded(self) -> bool:
        """No database is named: everything runs in one process on a PostgreSQL of its own."""
        return self.database_url is None and self.postgres_host is None

    @property
    def postgres_url(self) -> str:
        """Where the database is.

        Raises:
          RuntimeError: in embedded mode, which starts the database itself.
        """
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        if self.postgres_host is None:
            raise RuntimeError("embedded mode has no database URL of its own")
        password = quote(self.postgres_password.get_secret_value(), safe="")
        user = quote(self.postgres_user, safe="")
        hosts = ",".join(f"{name.strip()}:{self.postgres_port}" for name in self.postgres_host.split(","))
        return f"postgresql://{user}:{password}@{hosts}/{self.postgres_db}"

    @property
    def postgres_read_url(self) -> str | None:
        """Where a replica of the database is; None: everything is read from the primary."""
        return self.database_read_url.get_secret_value() if self.database_read_url is not None else None

    @property
    def rabbitmq_urls(self) -> list[str]:
        """The members of the cluster, in the order they are tried; empty: the in-process broker."""
        return [url.get_secret_value() for url in self.rabbitmq_url]

    def current_keys(self) -> tuple[Key, ...]:
        """Return the API keys as they are now, empty where none is asked for; those of a file change with it."""
        if self.auth == "none":
            return ()
        if self.api_keys_file is not None:
            return _keys_in(self.api_keys_file).get()
        return _parsed(tuple(entry.get_secret_value() for entry in self.api_keys))

    def current_callback_secret(self) -> SecretStr | None:
        """Return what callbacks are signed with now."""
        path = self.callback_secret_file
        return self.callback_secret if path is None else _callback_secret_in(path).get()

    @property
    def open_to_all(self) -> bool:
        """No key is asked for, and nobody has said that this is meant."""
        return not self.api_keys and not self.api_keys_file and self.auth != "none"

    @property
    def roots(self) -> list[Path]:
        """The folders that `file_path` may name."""
        if self.upload_roots is not None:
            return [Path(root) for root in self.upload_roots]
        return [Path("/tmp/uploads")] if self.environment == "development" else []  # noqa: S108

    @property
    def console(self) -> bool:
        """Logs are for a person to read."""
        return self.log_format == "console" if self.log_format else sys.stdout.isatty()


#: Other names under which a PaaS or an SDK provides the same thing.
ALIASES = {"CLOUDAMQP_URL": "RABBITMQ_URL", "CO_API_KEY": "COHERE_API_KEY"}


def read(environment: Mapping[str, str]) -> Settings:
    """Read the settings that an environment holds. An empty variable counts as unset.

    Raises:
      ValueError: one line that names the variable, what is wrong with it, and an example.
    """
    values = {name: value for name, value in environment.items() if value.strip()}
    for alias, name in ALIASES.items():
        if alias in values:
            values.setdefault(name, values[alias])
    known = {field: values[field.upper()] for field in Settings.model_fields if field.upper() in values}
    if "log_level" in known:
        known["log_level"] = known["log_level"].lower()
    try:
        return Settings.model_validate(known)
    except ValidationError as error:
        raise ValueError(_in_one_line(error)) from None


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Return this process's settings; a bad value ends the process with one line on stderr."""
    try:
        configuration = read(os.environ)
        return configuration.with_grpc() if configuration.embedded and configuration.grpc_port else configuration
    except ValueError as error:
        raise SystemExit(f"task-manager: {error}") from None


def service_settings() -> Settings:
    """Return the settings of a process that runs beside others; end it as above without the servers that they share."""
    configuration = settings()
    missing = "DATABASE_URL" if configuration.embedded else "RABBITMQ_URL" if not configuration.rabbitmq_urls else None
    if missing is not None:
        raise SystemExit(
            f"task-manager: {missing}: is not set, and a process of its own needs it. "
            f"Example: {missing}={EXAMPLES[missing]}"
        )
    return configuration


def _in_one_line(error: ValidationError) -> str:
    """Return the first problem, without the value: it may be a secret."""
    problem = error.errors(include_input=False, include_url=False)[0]
    if not problem["loc"]:
        name, _, reason = problem["msg"].removeprefix("Value error, ").partition(": ")
    else:
        name, reason = str(problem["loc"][0]).upper(), problem["msg"].removeprefix("Value error, ")
        reason = reason[0].lower() + reason[1:]
    example = EXAMPLES.get(name) or _default_of(name)
    return f"{name}: {reason}. Example: {name}={example}"


def _default_of(name: str) -> str:
    field = Settings.model_fields.get(name.lower())
    return str(field.default) if field is not None else ""
