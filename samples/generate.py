"""Makes the sample documents anew, byte for byte the same on every machine: `python -m samples.generate [FOLDER]`."""

from __future__ import annotations

import sys
from pathlib import Path

from samples.docx import docx
from samples.pdf import pdf
from samples.source import blocks_of

HERE = Path(__file__).resolve().parent


def documents() -> dict[str, bytes]:
    """Return each sample by its file name: a PDF, a Word document, and a Chinese text in GB18030."""
    field_guide, handbook, tea_garden = (
        (HERE / "sources" / name).read_text(encoding="utf-8")
        for name in ("field-guide.md", "museum-handbook.md", "tea-garden.txt")
    )
    return {
        "field-guide.pdf": pdf(blocks_of(field_guide)),
        "museum-handbook.docx": docx(blocks_of(handbook)),
        # 𰻝 takes four bytes: this is more than the older GBK can hold.
        "tea-garden.txt": tea_garden.encode("gb18030"),
    }


def main() -> None:
    """Write the samples beside this file, or into the folder that is named."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    for name, content in documents().items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
