"""The killable children of this process, in which documents are read and split."""

from __future__ import annotations

from documents.sandbox.pool import Sandbox

#: One for each CPU; started when the first document comes.
SANDBOX = Sandbox()
