"""Files that were cut short, torn, or joined with others: each is read or refused, in time and within its memory."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from documents.sandbox.pool import Sandbox
from errors import TaskError
from tests.fuzz.checks import CHUNKER, CODES, CORPUS, chunk, read
from tests.fuzz.seeds import SEEDS

#: Damaged files of each format.
COUNT = 25
#: Seconds for one of these small files; of a picture a program recognises the text, as fast as the machine is.
LONGEST = 30.0
#: Address space of the child that reads: what is more is refused as too_large, and fails the test.
MEMORY_BYTES = 512 * 1024 * 1024


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    made = Sandbox(2, MEMORY_BYTES)
    yield made
    made.close()


def damaged(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """A file as a broken disk, an interrupted upload or a confused program leaves it."""
    torn = bytearray(data)
    at, length = rng.randrange(len(torn)), rng.randrange(1, max(2, len(torn) // 4))
    match rng.randrange(7):
        case 0:
            return bytes(torn[:at])
        case 1:
            for _ in range(rng.randint(1, 12)):
                torn[rng.randrange(len(torn))] ^= 1 << rng.randrange(8)
        case 2:
            torn[at : at + length] = bytes(len(torn[at : at + length]))
        case 3:
            torn[at : at + length] = rng.randbytes(length)
        case 4:
            del torn[at : at + length]
        case 5:
            torn[at:at] = torn[at : at + length] * rng.randint(1, 50)
        case _:
            return bytes(torn[:at]) + other[rng.randrange(len(other)) :]
    return bytes(torn)


@pytest.mark.parametrize("format", SEEDS)
def test_a_damaged_file_is_read_or_refused_with_a_code(sandbox: Sandbox, tmp_path: Path, format: str) -> None:
    rng = random.Random(f"damaged {format}")
    everything = [data for files in SEEDS.values() for data in files.values()]
    became: Counter[str] = Counter()
    for number in range(COUNT):
        data = damaged(rng, rng.choice(list(SEEDS[format].values())), rng.choice(everything))
        path = tmp_path / f"{number}.{format}"
        path.write_bytes(data)
        try:
            extracted = sandbox.extract(path, filename=path.name, timeout=LONGEST)
        except TaskError as error:
            assert error.code in CODES - {"too_large"}, f"{path.name} of seed 'damaged {format}': {error}"
            became[error.code] += 1
        else:
            assert extracted.text.strip()
            became["read"] += 1
    assert became.total() == COUNT
    assert len(became) > 1 or format in ("txt", "md", "csv", "tsv"), "the damage reached nothing"


@pytest.mark.parametrize("path", sorted(path for path in CORPUS.glob("*/*")), ids=lambda path: path.name)
def test_what_a_fuzzer_once_found_does_no_harm(path: Path) -> None:
    target = path.parent.name
    if target == CHUNKER:
        chunk(path.read_bytes())
    else:
        read(path.read_bytes(), target)
