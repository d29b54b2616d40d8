"""Who did what, as it is answered."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from api.description.schemas.shape import Model, Page
from models.base import Json


class AuditTarget(Model):
    """What an act was done to."""

    kind: str
    id: str | None = Field(description="Null for what a filter named.")


class AuditEntry(Model):
    """An act that somebody asked for."""

    audit_id: UUID
    at: datetime
    name: str | None = Field(description="Of the API key; null where none was asked for.")
    action: str = Field(description="As in `task.cancel`; see `docs/access.md`.")
    target: AuditTarget
    kb_id: str | None
    detail: Json
    request_id: str | None


class AuditPage(Page[AuditEntry]):
    """Acts, newest first."""
