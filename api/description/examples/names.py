"""What several examples name."""

from __future__ import annotations

TASK = "01936f5e-7c1b-7d52-9a0e-3f6d1c2b8a47"
OTHER_TASK = "01936f5e-9f13-7a64-8c2d-1b0e7f5a6d38"
BATCH = "01936f5e-8d02-7e10-8b6c-5a4f3e2d1c0b"
CALLBACK = "01936f5e-b2a4-7c35-9d1e-0f2a3b4c5d6e"
SCHEDULE = "01936f5e-c3b5-7d46-8e2f-1a3b4c5d6e7f"
WORKER = "01936f5e-d4c6-7e57-9f30-2b4c5d6e7f80"
KB = "handbook"
DOCUMENT = "leave.md"
AT = "2026-11-29T09:30:00.000000Z"
SOON = "2026-11-29T09:30:02.000000Z"
DONE = "2026-11-29T09:30:04.000000Z"
CURSOR = "MDE5MzZmNWUtN2MxYi03ZDUyLTlhMGUtM2Y2ZDFjMmI4YTQ3"

ACCEPTED = {"task_id": TASK, "status": "queued", "task_type": "document_processing", "kb_id": KB, "created_at": AT}
FAILURE = {
    "code": "encrypted",
    "message": "contract.pdf asks for a password",
    "stage": "preprocessing",
    "retryable": False,
    "hint": "Remove the password and submit the file again.",
    "hint_zh": "请先去除文件密码，再重新提交。",
}
