"""How well and how fast documents are read and cut, beside other libraries: each in a process of its own, in one run.

    make bench-documents ARGS="--documents DIR"

A file of DIR is judged by the text beside it: report.pdf by report.txt or report.md. What is compared are sequences of
8 words (of Chinese and Japanese: characters), after NFKC and without case: how many of the text's were read (recall),
and how many of those read are the text's (precision). The texts themselves are what the splitters cut.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: The other libraries have an environment of their own.
PEERS = ROOT / ".venv-bench" / "bin" / "python"
GRAM = 8
TRUTH = (".txt", ".md")
#: By format; what reads everything comes first.
ALL = ("ours", "kreuzberg", "markitdown")
MORE = {".pdf": ("pypdfium2",), ".docx": ("python-docx",)}
SPLITTERS = ("ours", "langchain", "llama-index")
_WORDS = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]|[^\\W_\u3040-\u30ff\u3400-\u9fff]+")
_SENTENCE_END = re.compile(r"[.!?。！？；…:：][\"'”’」』)）\]]*$")
_BLOCK_END = re.compile(r"[ \t]*(?:\r?\n[ \t]*\r?\n|\Z|\r?\n[ \t]*(?:[-*+•|#]|\d{1,3}[.)])\s)")


@dataclass
class Outcome:
    """What a process took: seconds of CPU, and MB at its peak; and what it made of each file, None where it failed."""

    seconds: float
    peak: float
    made: list[str | list[str] | None]


def run(kind: str, name: str, files: Sequence[Path]) -> Outcome:
    """Have a reader or a splitter work on files, in a process of its own."""
    python = sys.executable if name == "ours" else str(PEERS)
    with tempfile.TemporaryDirectory(prefix="bench-") as out:
        done = subprocess.run(
            [python, "-P", str(ROOT / "bench" / "document_readers.py"), kind, name, out, *map(str, files)],
            env={**os.environ, "PYTHONPATH": str(ROOT) if name == "ours" else ""},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{name} failed: {done.stderr[-2000:]}")
        for line in done.stderr.splitlines():
            if line.startswith(f"{name}: "):
                print(f"  {line}", file=sys.stderr)
        said = json.loads(done.stdout.splitlines()[-1])
        made = [Path(out) / str(number) for number in range(len(files))]
        return Outcome(
            said["seconds"],
            said["peak"],
            [json.loads(path.read_text(encoding="utf-8")) if path.exists() else None for path in made],
        )


def grams(text: str) -> Counter[int]:
    """How often each sequence of GRAM words occurs."""
    words = _WORDS.findall(unicodedata.normalize("NFKC", text).casefold())
    return Counter(hash(tuple(words[at : at + GRAM])) for at in range(len(words) - GRAM + 1))


def scores(read: str, truth: Counter[int]) -> tuple[float, float]:
    """Recall and precision."""
    counts = grams(read)
    shared = (counts & truth).total()
    return shared / max(1, truth.total()), shared / max(1, counts.total())


def harmonic(recall: float, precision: float) -> float:
    """F1."""
    return 2 * recall * precision / (recall + precision) if recall + precision else 0.0


def judged(folder: Path) -> dict[str, list[tuple[Path, Path]]]:
    """Files and the texts that they are judged by, by suffix."""
    by_suffix: dict[str, list[tuple[Path, Path]]] = {}
    for path in sorted(folder.iterdir()):
        truth = next((path.with_suffix(suffix) for suffix in TRUTH if path.with_suffix(suffix).exists()), None)
        if truth is not None and path.suffix not in TRUTH:
            by_suffix.setdefault(path.suffix, []).append((path, truth))
    return by_suffix


def read_all(folder: Path) -> None:
    """Print what each reader makes of each format."""
    print(f"{'format':6} {'reader':12} {'files':>5} {'MB/s':>7} {'peak MB':>7} {'recall':>7} {'precis.':>7} {'F1':>7}")
    for suffix, pairs in judged(folder).items():
        files = [path for path, _ in pairs]
        truths = [grams(truth.read_text(encoding="utf-8")) for _, truth in pairs]
        megabytes = sum(path.stat().st_size for path in files) / 1e6
        for name in (*ALL, *MORE.get(suffix, ())):
            outcome = run("read", name, files)
            figures = [
                scores(made, truth) if isinstance(made, str) else (0.0, 0.0)
                for made, truth in zip(outcome.made, truths, strict=True)
            ]
            recall, precision = (sum(column) / len(figures) for column in zip(*figures, strict=True))
            f1 = sum(harmonic(*pair) for pair in figures) / len(figures)
            read = sum(made is not None for made in outcome.made)
            print(
                f"{suffix[1:]:6} {name:12} {f'{read}/{len(files)}':>5} {megabytes / outcome.seconds:7.2f}"
                f" {outcome.peak:7.0f} {recall:7.3f} {precision:7.3f} {f1:7.3f}",
                flush=True,
            )


def split_all(folder: Path) -> None:
    """Print what each splitter makes of the texts."""
    files = [path for path in sorted(folder.iterdir()) if path.suffix in TRUTH]
    texts = [path.read_text(encoding="utf-8") for path in files]
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    print(f"\n{'splitter':12} {'chunks':>7} {'MB/s':>7} {'peak MB':>7} {'ends well':>9} {'over size':>9} {'mean':>6}")
    for name in SPLITTERS:
        outcome = run("split", name, files)
        ends: list[bool] = []
        lengths: list[int] = []
        for text, made in zip(texts, outcome.made, strict=True):
            chunks = made if isinstance(made, list) else []
            ends += list(well_ended(text, chunks))
            lengths += map(len, chunks)
        print(
            f"{name:12} {len(lengths):7} {megabytes / outcome.seconds:7.2f} {outcome.peak:7.0f}"
            f" {sum(ends) / len(ends):9.3f} {sum(length > 1000 for length in lengths):9}"
            f" {sum(lengths) / len(lengths):6.0f}",
            flush=True,
        )


def well_ended(text: str, chunks: Sequence[str]) -> Iterator[bool]:
    """Of each chunk, whether it ends where a sentence or a block does."""
    at = 0
    for chunk in chunks:
        chunk = chunk.rstrip()
        place = text.find(chunk, at)
        if place >= 0:
            at = place + 1
        block = place >= 0 and _BLOCK_END.match(text, place + len(chunk)) is not None
        yield block or _SENTENCE_END.search(chunk[-8:]) is not None


def main() -> None:
    """Measure, and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--documents", type=Path, required=True, help="a folder of files, each with its text beside it")
    folder = parser.parse_args().documents
    read_all(folder)
    split_all(folder)


if __name__ == "__main__":
    main()
