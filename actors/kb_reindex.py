"""The stage of `kb_reindex` tasks: a KB gets another embedder's vectors while the old ones serve, then all at once."""

from __future__ import annotations

from actors.document.embedding import embed
from documents.embedding import Embedder, embedder
from documents.embedding.prices import cost
from documents.storing import reindexing, vectors
from documents.storing.reindexing import Reindexing
from errors import TaskError
from models import database
from models.base import Json
from settings import settings
from tasks.transactions.unit import Unit
from tasks.working.claim import Advance
from worker.holding import HandBack
from worker.stage import Work, stage


@stage
def kb_reindex(work: Work) -> Advance:
    """Embed each document anew beside what is searched; a resumed stage embeds what is missing.

    It may take hours, so it has no end by `timeout`: when that is near, it goes back to the queue, behind others.
    """
    provider = embedder(work.payload["embedder"], settings())
    to = Reindexing(work.task_id, work.kb_id, provider.name)
    try:
        units = _embed_all(work, provider, to)
    except TaskError as error:
        if error.code == "timeout":
            raise HandBack from None
        raise

    def publish(unit: Unit) -> Json:
        made = reindexing.publish(unit.session, to)
        if made is None:
            # A document has come in meanwhile; the next attempt finds it.
            raise HandBack
        return {
            "embedder": to.embedder,
            **made,
            "estimated_cost": cost(to.embedder, made["tokens_embedded"], settings()),
        }

    return work.done(units=units, within=publish)


def _embed_all(work: Work, provider: Embedder, to: Reindexing) -> int:
    """Make every document ready; returns how many chunks they have.

    Raises:
      HandBack: half of the timeout is over.
    """
    with database.transaction() as session:
        done, units = reindexing.progress(session, to)
    after = ""
    while True:
        work.check()
        if work.seconds_left < work.claim.timeout / 2:
            raise HandBack
        with work.transaction() as session:
            shadow = reindexing.next_shadow(session, to, after)
            drafts = vectors.begin(session, shadow.id, provider.name) if shadow is not None else 0
        if shadow is not None:
            embed(work, provider, range(drafts), shadow.id, before=done, units=units)
            with work.transaction() as session:
                reindexing.finish_shadow(session, shadow.id)
            done, after = done + shadow.chunks, shadow.document_id
        elif after:
            after = ""  # once more from the beginning, for what has come in meanwhile
        else:
            return units
