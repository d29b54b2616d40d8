"""A wrong or missing setting stops a process with one line that helps, and tells no secret."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from keys import Key
from settings import ALIASES, EXAMPLES, Settings, read
from tests.processes import COMMANDS, ROOT, Deployment

SECRET = "s3cr3t"

#: Wrong values, by variable; what else is set stands in front of it.
WRONG = [
    {"PORT": "http"},
    {"PORT": "70000"},
    {"LOG_LEVEL": "loud"},
    {"LOG_FORMAT": "xml"},
    {"ENVIRONMENT": "staging"},
    {"DATABASE_URL": f"mysql://user:{SECRET}@host/tasks"},
    {"DATABASE_URL": SECRET},
    {"POSTGRES_PORT": "x"},
    {"RABBITMQ_URL": f"https://user:{SECRET}@host"},
    {"RABBITMQ_URL": f"amqp://user:{SECRET}@one,{SECRET}"},
    {"QUEUE_TYPE": "stream"},
    {"QUEUE_PREFIX": "our queues/"},
    {"QUEUE_PREFIX": "amq.ours"},
    {"WORKER_POOL_SIZE": "0"},
    {"TASK_TIMEOUT": "-1"},
    {"TASK_TIMEOUT": "nan"},
    {"LEASE_SECONDS": "inf"},
    {"MAX_RETRY_ATTEMPTS": "1.5"},
    {"RETRY_BACKOFF_FACTOR": "0"},
    {"SHUTDOWN_TIMEOUT": "soon"},
    {"WEB_CONCURRENCY": "0"},
    {"MAX_DOCUMENT_BYTES": "100MB"},
    {"UPLOAD_ROOTS": "/srv/uploads,uploads"},
    {"SOURCE_ROOTS": "/srv/docs"},
    {"SOURCE_ROOTS": "s3://bucket,s3://"},
    {"SOURCE_ROOTS": "file:///"},
    {"SOURCE_ROOTS": "file://srv/docs"},
    {"SOURCE_ROOTS": "https://wiki.internal/docs"},
    {"SOURCE_ROOTS": "local:///srv/docs"},
    {"SOURCE_ROOTS": "simplecache::s3://bucket"},
    {"SOURCE_ROOTS": f"ftp://user:{SECRET}@files.internal/docs"},
    {"SOURCE_ALLOWED_HOSTS": "http://wiki.internal"},
    {"SOURCE_ALLOWED_HOSTS": "wiki.internal,10.0.0.0/33"},
    {"SOURCE_ALLOWED_HOSTS": "10.0.0.5/8"},
    {"CALLBACK_ALLOWED_HOSTS": "wiki.internal/kb"},
    {"AUTH": "maybe"},
    {"AUTH": "keys", "API_KEYS": ""},
    {"ENVIRONMENT": "production", "API_KEYS": ""},
    {"ENVIRONMENT": "production", "API_KEYS": " , "},
    {"ENVIRONMENT": "production", "AUTH": "keys", "API_KEYS": ""},
    {"API_KEYS": SECRET},
    {"API_KEYS": "kb:"},
    {"API_KEYS": f":{SECRET}"},
    {"API_KEYS": f"kb:{SECRET}é"},
    {"API_KEYS": f"kb:{SECRET}1,kb:{SECRET}2:read"},
    {"API_KEYS": f"kb:{SECRET}:read:a,kb:{SECRET}2:read:b"},
    {"API_KEYS": f"one:{SECRET}:read,other:{SECRET}"},
    {"API_KEYS": f"kb:key:{SECRET}"},
    {"API_KEYS": f"kb:{SECRET}:"},
    {"API_KEYS": f"kb:{SECRET}:read:"},
    {"API_KEYS": f"kb:{SECRET}:read:a++b"},
    {"API_KEYS": f"kb:{SECRET}:scale:a"},
    {"EMBEDDER": "cohere", "COHERE_API_KEY": ""},
    {"EMBEDDER": "word2vec"},
    {"RERANK": "cohere", "COHERE_API_KEY": ""},
    {"RERANK": "endpoint", "RERANK_BASE_URL": ""},
    {"RERANK": "endpoint", "RERANK_MODEL": "bge", "RERANK_BASE_URL": "localhost:8000"},
    {"RERANK": "endpoint", "RERANK_BASE_URL": "http://localhost:8000/v1", "RERANK_MODEL": ""},
    {"RERANK": "bge"},
    {"COHERE_BASE_URL": "api.cohere.com"},
    {"OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:4318"},
    {"EMBEDDING_TOKENIZER": "tokenizer.json"},
    {"KB_CALLBACK_URL": "kb.example.com/callbacks"},
    {"KB_CALLBACK_URL": f"https://kb:{SECRET}@kb.example.com/callbacks"},
    {"CALLBACK_SECRET": SECRET},
    {"CALLBACK_SECRET": "whsec_"},
    {"CALLBACK_SECRET": f"whsec_{SECRET}!"},
]


@pytest.mark.parametrize(
    "environment", WRONG, ids=lambda case: " ".join(f"{name}={value}" for name, value in case.items())
)
def test_a_wrong_value_is_named_in_one_line_with_an_example(environment: dict[str, str]) -> None:
    name = list(environment)[-1]
    with pytest.raises(ValueError, match=f"^{name}: ") as refused:
        read(environment)
    line = str(refused.value)
    assert "\n" not in line
    start, _, example = line.partition(f". Example: {name}=")
    assert len(start) > len(name) + 10
    assert example not in ("", "None")
    assert SECRET not in line


def test_every_example_is_a_good_value() -> None:
    for name, example in EXAMPLES.items():
        if name in ("API_KEYS_FILE", "CALLBACK_SECRET_FILE"):
            continue  # such a file is read at once: tests/test_secret_files.py
        needed = {"API_KEYS": EXAMPLES["API_KEYS"], "COHERE_API_KEY": "key"}
        assert read({**needed, name: example}), name
    assert EXAMPLES.keys() <= {name.upper() for name in Settings.model_fields}


def test_an_empty_variable_counts_as_unset() -> None:
    assert read(dict.fromkeys(map(str.upper, Settings.model_fields), "")) == read({})
    assert read({"PORT": "  "}).port == 8084


def test_production_is_open_only_where_it_is_said() -> None:
    assert read({"ENVIRONMENT": "production", "AUTH": "none"}).current_keys() == ()
    assert read({"ENVIRONMENT": "production", "API_KEYS": "kb:a"}).current_keys() == (Key("kb", b"a"),)
    assert read({"AUTH": "none", "API_KEYS": "kb:key"}).current_keys() == ()


def test_a_key_has_a_role_and_may_be_bound_to_kbs() -> None:
    keys = read(
        {"API_KEYS": "kb:one, kb:two,ops:three:operate,some:four:submit:a+b:c+知识库,all:five:scale"}
    ).current_keys()
    bound = frozenset({"a", "b:c", "知识库"})
    assert keys == (
        Key("kb", b"one"),
        Key("kb", b"two"),
        Key("ops", b"three", "operate"),
        Key("some", b"four", "submit", bound),
        Key("all", b"five", "scale"),
    )
    assert [key.kbs for key in keys] == [None, None, None, bound, None]


def test_production_reads_no_folder_that_was_not_named() -> None:
    open_to_all = {"ENVIRONMENT": "production", "AUTH": "none"}
    assert read({}).roots == [Path("/tmp/uploads")]
    assert read(open_to_all).roots == []
    assert read({**open_to_all, "UPLOAD_ROOTS": "/a, /b"}).roots == [Path("/a"), Path("/b")]


def test_a_root_is_the_same_with_a_slash_at_its_end_and_its_scheme_in_capitals() -> None:
    roots = "S3://Bucket/prefix/, file:///srv/docs//, memory://docs"
    assert read({"SOURCE_ROOTS": roots}).source_roots == ["s3://Bucket/prefix", "file:///srv/docs", "memory://docs"]


@pytest.mark.parametrize("roots", ["s3://bucket", "s3://bucket/uploads/kb", "file:///srv", "file:///srv/data/uploads"])
def test_no_root_is_where_the_documents_of_all_kbs_lie(roots: str) -> None:
    own = {"DATA_DIR": "/srv/data", "STORAGE_URL": "s3://bucket/uploads"}
    with pytest.raises(ValueError, match="SOURCE_ROOTS: holds DATA_DIR or STORAGE_URL"):
        read({**own, "SOURCE_ROOTS": roots})
    assert len(read({**own, "SOURCE_ROOTS": "s3://bucket/uploads-2,file:///srv/docs"}).source_roots) == 2


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_another_name_serves_where_the_first_is_unset(alias: str, name: str) -> None:
    value, other = EXAMPLES[name], EXAMPLES[name].replace("a", "b")
    assert read({alias: value}) == read({name: value})
    assert read({alias: other, name: value}) == read({name: value})


def test_a_database_is_named_by_its_parts_as_well() -> None:
    parts = {"POSTGRES_HOST": "db", "POSTGRES_USER": "a@b", "POSTGRES_PASSWORD": "p/w:d", "POSTGRES_DB": "kb"}
    settings = read(parts)
    assert not settings.embedded
    assert settings.postgres_url == "postgresql://a%40b:p%2Fw%3Ad@db:5432/kb"
    assert read({}).embedded


def test_several_brokers_are_kept_in_their_order() -> None:
    urls = ["amqp://user:password@one:5672/%2F", "amqps://user:password@two:5671/%2F"]
    assert read({"RABBITMQ_URL": ", ".join(urls)}).rabbitmq_urls == urls


def test_what_is_shown_of_settings_holds_no_secret() -> None:
    settings = read(
        {
            "DATABASE_URL": f"postgresql://user:{SECRET}@host/tasks",
            "POSTGRES_PASSWORD": SECRET,
            "RABBITMQ_URL": f"amqp://user:{SECRET}@host",
            "API_KEYS": f"kb:{SECRET}",
            "COHERE_API_KEY": SECRET,
            "CALLBACK_SECRET": "whsec_c2VjcmV0",
        }
    )
    for shown in (repr(settings), str(settings), settings.model_dump_json()):
        assert SECRET not in shown
        assert "c2VjcmV0" not in shown


def own_lines(output: str) -> list[str]:
    """What a process says itself; Dramatiq adds that its worker has ended."""
    return [line for line in output.splitlines() if not line.startswith("Worker with PID")]


@pytest.mark.parametrize("name", ["release", "web", "worker", "clock", "embedded"])
def test_every_process_stops_with_that_line_alone(deployment: Deployment, name: str) -> None:
    environment = {**deployment.environment, "API_KEYS": SECRET}
    if name == "embedded":
        environment |= {"DATABASE_URL": "", "RABBITMQ_URL": "", "DATA_DIR": str(deployment.folder / "data")}
    done = subprocess.run(
        ["/bin/sh", "-c", COMMANDS[name]],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode != 0
    lines = own_lines(done.stdout + done.stderr)
    assert len(lines) == 1, done.stdout + done.stderr
    assert lines[0].startswith("task-manager: API_KEYS: ")
    assert "Example: API_KEYS=" in lines[0]
    assert SECRET not in lines[0]


@pytest.mark.parametrize("name", ["web", "worker", "clock"])
def test_a_process_of_its_own_needs_its_servers(deployment: Deployment, name: str) -> None:
    for missing in ("RABBITMQ_URL", "DATABASE_URL"):
        done = subprocess.run(
            ["/bin/sh", "-c", COMMANDS[name]],
            cwd=ROOT,
            env={**deployment.environment, missing: ""},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        output = done.stdout + done.stderr
        assert done.returncode != 0
        assert [line.startswith(f"task-manager: {missing}: ") for line in own_lines(output)] == [True], output
        assert f"Example: {missing}=" in output
