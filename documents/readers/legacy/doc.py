"""DOC: documents of Word 6 to 2003, read as the DOCX that LibreOffice makes of them."""

from __future__ import annotations

import struct
from pathlib import Path

from documents.readers.legacy import conversion
from documents.readers.legacy.conversion import Legacy
from documents.readers.office import docx
from documents.readers.shared.compound import Storage
from documents.text import Extracted

#: Where the header of the main stream says in which way it is encrypted, if it is (MS-DOC, FibBase, fEncrypted).
_FLAGS, _ENCRYPTED = 10, 0x0100


def read(path: Path, encoding: str | None = None) -> Extracted:
    """Read a document; it says itself what it is encoded in.

    Raises:
      TaskError: unsupported_format where there is no LibreOffice; corrupt, encrypted, archive_bomb, needs_ocr,
        timeout, too_large.
    """
    return conversion.read(path, Legacy("doc", "docx", "MS Word 2007 XML", "writer", docx.read, _is_encrypted))


def _is_encrypted(root: Storage) -> bool:
    header = root.streams.get("WordDocument", b"")[: _FLAGS + 2]
    return len(header) == _FLAGS + 2 and bool(struct.unpack_from("<H", header, _FLAGS)[0] & _ENCRYPTED)
