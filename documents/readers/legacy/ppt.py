"""PPT: presentations of PowerPoint 97 to 2003, read as the PPTX that LibreOffice makes of them."""

from __future__ import annotations

from pathlib import Path

from documents.readers.legacy import conversion
from documents.readers.legacy.conversion import Legacy
from documents.readers.office import pptx
from documents.readers.shared.compound import Storage
from documents.text import Extracted

#: What the stream `Current User` has behind the header of its record and its own length, where the presentation is
#: encrypted (MS-PPT, CurrentUserAtom, headerToken).
_TOKEN, _ENCRYPTED = slice(12, 16), b"\xdf\xc4\xd1\xf3"


def read(path: Path, encoding: str | None = None) -> Extracted:
    """Read a presentation; it says itself what it is encoded in.

    Raises:
      TaskError: unsupported_format where there is no LibreOffice; corrupt, encrypted, archive_bomb, needs_ocr,
        timeout, too_large.
    """
    return conversion.read(
        path, Legacy("ppt", "pptx", "Impress MS PowerPoint 2007 XML", "impress", pptx.read, _is_encrypted)
    )


def _is_encrypted(root: Storage) -> bool:
    return root.streams.get("Current User", b"")[_TOKEN] == _ENCRYPTED
