"""What a text or an upload would become, shown without keeping it."""

from __future__ import annotations

import asyncio
import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import falcon
from falcon import asgi
from pydantic import BaseModel, Field

from api import forms, requests
from api.description.operation import operation
from api.description.schemas.documents import PreviewChunk
from api.problems import Invalid, problem
from documents.embedding import token_measure
from documents.files.storage import PAGE
from documents.preview import Preview, preview
from documents.sandbox.pool import Sandbox
from documents.splitting.measure import CHARACTERS
from errors import TaskError
from models.base import Json
from sentences import say
from settings import Settings
from tasks.types.document_processing import Reading

#: Bytes of what is previewed: its text is sent back, and again in its chunks.
LARGEST = 10 * 1024 * 1024
#: Seconds that reading and splitting may take.
TIMEOUT = 20.0
#: Previews that may wait for the one that is made; whoever comes then is told to come again.
MOST_WAITING = 8


class PreviewRequest(Reading):
    """A text, or a document as a form's `file`, and how it is to be read and split."""

    content: str = Field(description="The text itself; in a form, `file` takes its place.")


class PreviewAnswer(BaseModel):
    """What a document would become."""

    format: str
    encoding: str | None
    pages: int | None
    characters: int
    warnings: list[str]
    text: str
    chunks: list[PreviewChunk]


class ChunkPreview:
    """`/chunk-preview`"""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # A process of its own reads; none is started before the first preview.
        self._sandbox = Sandbox(1)
        self._turns = ThreadPoolExecutor(1, thread_name_prefix="preview")
        self._waiting = 0

    @operation(
        "Show what a text or an upload would become; nothing is kept.",
        {
            200: "The text and its chunks.",
            413: "Larger than 10 MiB.",
            422: "Fields do not fit, or the document cannot be read: `code` is the one that its task would fail with.",
            503: "Too many previews are waiting.",
        },
        id="preview_chunks",
        tag="documents",
        request=PreviewRequest,
        response=PreviewAnswer,
        example={"content": "# Tea\n\nGreen tea is brewed at 80 °C.\n\n绿茶要用八十度的水冲泡。", "chunk_size": 50},
    )
    async def on_post(self, req: asgi.Request, resp: asgi.Response) -> None:
        with tempfile.NamedTemporaryFile(prefix="preview-") as file:
            if forms.is_form(req):
                reading = await _upload(req, file)
            else:
                request = await requests.body(req, PreviewRequest.model_validate)
                file.write(_sized(request.content.encode("utf-8", "replace")))
                # As a task does with a text that has no name.
                reading = request.model_copy(update={"filename": request.filename or "content.txt"})
            file.flush()
            if self._waiting >= MOST_WAITING:
                raise falcon.HTTPServiceUnavailable(description=say("previews"), retry_after=5)
            self._waiting += 1
            try:
                turn = asyncio.get_running_loop().run_in_executor(self._turns, self._preview, Path(file.name), reading)
                resp.data = await turn
            finally:
                self._waiting -= 1
        resp.content_type = falcon.MEDIA_JSON

    def _preview(self, path: Path, reading: Reading) -> bytes:
        embedder = reading.embedder or self._settings.embedder
        shown = preview(
            self._sandbox,
            path,
            filename=reading.filename,
            content_type=reading.content_type,
            encoding=reading.encoding,
            size=reading.chunk_size,
            overlap=reading.chunk_overlap,
            measured_in=token_measure(embedder, self._settings) if reading.chunk_unit == "tokens" else CHARACTERS,
            timeout=TIMEOUT,
        )
        # Here and not on the loop, since it may be many megabytes.
        return json.dumps(_shown(shown), ensure_ascii=False).encode()


async def _upload(req: asgi.Request, file: IO[bytes]) -> Reading:
    requests.refuse_announced(
        req, LARGEST + forms.BESIDES_THE_FILE, "submit a larger document as a task", "更大的文档请作为任务提交"
    )
    fields: dict[str, str] = {}
    has_file = False
    async for part in await req.get_media():
        name, filename, content_type = forms.said_of(part)
        if name != "file":
            fields[name] = await forms.text(part)
            continue
        if has_file:
            raise Invalid([problem("file", say("file_twice"))])
        has_file = True
        fields.setdefault("filename", filename or "")
        fields.setdefault("content_type", content_type or "")
        size = 0
        while data := await part.stream.read(PAGE):
            size += len(data)
            if size > LARGEST:
                raise _too_large()
            await requests.beside(file.write, data)
    if not has_file:
        raise Invalid([problem("file", say("file_missing"))])
    return requests.fit(Reading, {name: value for name, value in fields.items() if value})


def _sized(data: bytes) -> bytes:
    if len(data) > LARGEST:
        raise _too_large()
    return data


def _too_large() -> TaskError:
    return TaskError("too_large", say("large_preview", most=LARGEST))


def _shown(result: Preview) -> Json:
    extracted = result.extracted
    return {
        "format": extracted.format,
        "encoding": extracted.encoding,
        "pages": extracted.pages,
        "characters": len(extracted.text),
        "warnings": extracted.warnings,
        "text": extracted.text,
        "chunks": [
            {
                "index": chunk.index,
                "text": extracted.text[chunk.start : chunk.end],
                "start": chunk.start,
                "end": chunk.end,
                "page": chunk.page,
                "heading_path": chunk.heading_path,
                "context": chunk.context or None,
            }
            for chunk in result.chunks
        ],
    }
