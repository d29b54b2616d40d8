"""What is uploaded: a file by its path, bytes, or an open file; streamed, counted, wound back when it is sent again."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO, TypeGuard

from task_manager_client.core.deadline import remaining

Source = str | os.PathLike[str] | bytes | BinaryIO
#: Told how many bytes are sent, and how many there are (None where that is not known).
Progress = Callable[[int, int | None], None]


class Upload:
    """A document to be sent as a form.

    Parameters:
      source: a path, the bytes, or a file that is open for reading bytes; that is sent from where it stands.
      filename: what it is called; default: the path's or the file's own name.
      fields: the other fields of the form.
      progress: told after each part that is read to be sent; it begins anew when the upload is repeated.

    Raises:
      ValueError: nothing says what it is called.
      OSError: the file cannot be opened.
    """

    def __init__(
        self, source: Source, filename: str | None, fields: Mapping[str, str], progress: Progress | None = None
    ) -> None:
        self.source = source
        self.fields = dict(fields)
        self.progress = progress
        name = source if isinstance(source, (str, os.PathLike)) else getattr(source, "name", None)
        self.filename = filename or (Path(name).name if isinstance(name, (str, os.PathLike)) else "")
        if not self.filename:
            raise ValueError("say in `filename` what the document is called: its format may depend on it")
        self._path = Path(source) if isinstance(source, (str, os.PathLike)) else None
        if self._path is not None:
            self._path.open("rb").close()  # an absent file is told before anything is sent
        self._start = source.tell() if _is_file(source) and source.seekable() else None

    @property
    def repeatable(self) -> bool:
        """Whether it can be read again; what comes from a pipe cannot."""
        return not _is_file(self.source) or self._start is not None

    def open(self, deadline: float | None = None) -> Body:
        """Return its bytes, to be sent once.

        Parameters:
          deadline: of `time.monotonic`; no part is read after it.

        Raises:
          OSError: the file cannot be opened any more.
        """
        if self._path is not None:
            return Body(self._path.open("rb"), 0, self.progress, deadline, owned=True)
        if isinstance(self.source, bytes):
            return Body(io.BytesIO(self.source), 0, self.progress, deadline, owned=True)
        assert _is_file(self.source)
        return Body(self.source, self._start, self.progress, deadline, owned=False)


class Body:
    """The bytes of one sending: what an HTTP library needs of a file, counted.

    Parameters:
      start: where it begins; None for what cannot be wound back.
      deadline: of `time.monotonic`; None: no limit.
      owned: whether the file is ours to close.
    """

    def __init__(
        self,
        file: BinaryIO,
        start: int | None,
        progress: Progress | None,
        deadline: float | None = None,
        *,
        owned: bool,
    ) -> None:
        self._file = file
        self._start = start
        self._progress = progress
        self._deadline = deadline
        self._owned = owned
        self._sent = 0
        self.length: int | None = None
        if start is not None:
            self.length = file.seek(0, os.SEEK_END) - start
            file.seek(start)

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, and tell that they go.

        Raises:
          TotalTimedOut: the deadline is over.
        """
        if self._deadline is not None:
            remaining(self._deadline)
        data = self._file.read(size)
        self._sent += len(data)
        if self._progress is not None and data:
            self._progress(self._sent, self.length)
        return data

    def tell(self) -> int:
        """Return how many bytes were read.

        Raises:
          OSError: its length is not known, which the HTTP library asks for by this.
        """
        if self.length is None:
            raise OSError("the length is not known")
        return self._sent

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to the start, or say where the end is; nothing else is asked.

        Raises:
          io.UnsupportedOperation: it cannot be wound back.
        """
        if self.length is None or self._start is None:
            raise io.UnsupportedOperation("it cannot be wound back")
        if whence == os.SEEK_END:
            return self.length
        self._file.seek(self._start + offset)
        self._sent = offset
        return offset

    def close(self) -> None:
        """Close the file, where it was opened here."""
        if self._owned:
            self._file.close()


def _is_file(source: Source) -> TypeGuard[BinaryIO]:
    return not isinstance(source, (str, os.PathLike, bytes))
