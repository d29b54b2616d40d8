"""Stage 1: the document's bytes are fetched, checked and read; its text is kept as a version."""

from __future__ import annotations

import tempfile
from pathlib import Path

from actors.children import SANDBOX
from actors.stage import Work, stage
from documents import index, source
from documents.sandbox import Cancelled
from models import database
from settings import settings
from tasks.types.document_processing import document_id_of, parameters_of
from tasks.work import Advance


@stage
def preprocessing(work: Work) -> Advance:
    """Bytes to text."""
    payload = work.payload
    with tempfile.TemporaryDirectory(prefix="document-") as folder:
        try:
            fetched = source.fetch(
                payload, settings(), Path(folder), cancelled=work.interrupted, timeout=work.seconds_left
            )
            extracted = SANDBOX.extract(
                fetched.path,
                filename=fetched.filename,
                content_type=fetched.content_type,
                encoding=payload.get("encoding"),
                timeout=work.seconds_left,
                cancelled=work.interrupted,
            )
        except Cancelled:
            raise work.interruption() from None
    with database.transaction() as session:
        index.write_version(
            session,
            work.task_id,
            kb_id=work.kb_id,
            document_id=document_id_of(payload),
            extracted=extracted,
            filename=fetched.filename,
            size=fetched.size,
            digest=fetched.sha256,
            parameters=parameters_of(payload),
        )
    return work.done(units=extracted.pages or 1)
