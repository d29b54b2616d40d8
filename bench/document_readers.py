"""One reader or splitter over some files, in a process of its own; started by bench.documents, in two environments.

    python bench/document_readers.py read|split NAME OUT FILE…

writes what it makes of each file into the folder OUT, and what it took as a line of JSON.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path

#: Characters of a chunk and of its overlap.
SIZE, OVERLAP = 1000, 200
#: The files are gone through twice, and the quicker pass counts, unless the first took longer than this: seconds.
PATIENCE = 5

Read = Callable[[Path], str]
Split = Callable[[str], list[str]]


def ours() -> Read:
    """Return the reader of this service, without its sandbox."""
    from documents.reading.extraction import extract

    return lambda path: extract(path, filename=path.name).text


def pypdfium2() -> Read:
    """PDFium's text as it comes."""
    import pypdfium2 as pdfium

    def read(path: Path) -> str:
        with pdfium.PdfDocument(path) as document:
            return "\n".join(page.get_textpage().get_text_range() for page in document)

    return read


def kreuzberg() -> Read:
    """kreuzberg, its defaults."""
    import kreuzberg as library

    return lambda path: str(library.extract_file_sync(str(path)).content)


def markitdown() -> Read:
    """markitdown, its defaults."""
    from markitdown import MarkItDown

    converter = MarkItDown()
    return lambda path: str(converter.convert(str(path)).text_content)


def python_docx() -> Read:
    """python-docx: the paragraphs and the cells of tables, in the order of the document."""
    import docx
    from docx.table import Table

    def read(path: Path) -> str:
        parts = []
        for block in docx.Document(str(path)).iter_inner_content():
            if isinstance(block, Table):
                parts += [" | ".join(cell.text for cell in row.cells) for row in block.rows]
            else:
                parts.append(block.text)
        return "\n".join(parts)

    return read


def our_splitter() -> Split:
    """Return the chunker of this service."""
    from documents.splitting.chunking import split

    return lambda text: [text[chunk.start : chunk.end] for chunk in split(text, [], SIZE, OVERLAP)]


def langchain() -> Split:
    """LangChain's recursive splitter, its defaults but for the size."""
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter(chunk_size=SIZE, chunk_overlap=OVERLAP)
    return lambda text: list(splitter.split_text(text))


def llama_index() -> Split:
    """LlamaIndex's sentence splitter, counting characters."""
    from llama_index.core.node_parser import SentenceSplitter

    splitter = SentenceSplitter(chunk_size=SIZE, chunk_overlap=OVERLAP, tokenizer=list)
    return lambda text: list(splitter.split_text(text))


READERS: dict[str, Callable[[], Read]] = {
    "ours": ours,
    "pypdfium2": pypdfium2,
    "kreuzberg": kreuzberg,
    "markitdown": markitdown,
    "python-docx": python_docx,
}
SPLITTERS: dict[str, Callable[[], Split]] = {
    "ours": our_splitter,
    "langchain": langchain,
    "llama-index": llama_index,
}


def main(kind: str, name: str, out: str, files: list[str]) -> None:
    """Read or split each file; a file that fails is counted and has no output."""
    work = READERS[name]() if kind == "read" else SPLITTERS[name]()
    passes: list[float] = []
    while not passes or (len(passes) == 1 and passes[0] < PATIENCE):
        spent = 0.0
        for number, file in enumerate(files):
            document = Path(file) if kind == "read" else Path(file).read_text(encoding="utf-8")
            # Of CPU, all threads together: the machine may be busy with something else.
            began = cpu()
            try:
                made = work(document)  # type: ignore[arg-type]
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # kreuzberg's panics are no Exception
                print(f"{name}: {file}: {type(error).__name__}: {error}"[:300], file=sys.stderr)
                continue
            finally:
                spent += cpu() - began
            (Path(out) / str(number)).write_text(json.dumps(made), encoding="utf-8")
        passes.append(spent)
    print(json.dumps({"seconds": min(passes), "peak": peak()}))


def cpu() -> float:
    """Seconds of CPU of this process, and of those that it started and that have ended: a reader may run Tesseract."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def peak() -> float:
    """Return the most MB that this process, or one that it started, had resident.

    Its own are not ru_maxrss, which begins at what its parent had when it forked.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    own = int(status.partition("VmHWM:")[2].split()[0])
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) * 1024 / 1e6


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
