"""Problems of REST as `google.rpc.Status`: the same code, fields, hints and time to come again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details
from google.rpc.code_pb2 import Code
from google.rpc.status_pb2 import Status

from api.problems import PAGES, problem
from errors import REFUSALS
from sentences import Bilingual, say

DOMAIN = "taskmanager"

#: https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto names the HTTP status of each code. 409 is
#: what a task's state does not allow.
CODES = {
    400: Code.INVALID_ARGUMENT,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.NOT_FOUND,
    409: Code.FAILED_PRECONDITION,
    413: Code.RESOURCE_EXHAUSTED,
    415: Code.INVALID_ARGUMENT,
    422: Code.INVALID_ARGUMENT,
    429: Code.RESOURCE_EXHAUSTED,
    500: Code.INTERNAL,
    503: Code.UNAVAILABLE,
}


def status_of(problem: Mapping[str, Any], headers: Mapping[str, str]) -> Status:
    """Return a problem as a status with its details."""
    messages: list[Message] = [
        details.ErrorInfo(reason=problem["code"], domain=DOMAIN, metadata={"type": problem["type"]})
    ]
    if problem.get("errors"):
        violations = [
            details.BadRequest.FieldViolation(
                field=error["field"],
                description=error["message"],
                reason=error["code"],
                localized_message=details.LocalizedMessage(locale="zh", message=error["message_zh"]),
            )
            for error in problem["errors"]
        ]
        messages.append(details.BadRequest(field_violations=violations))
    if "retry-after" in headers:
        again = details.RetryInfo()
        again.retry_delay.FromSeconds(int(headers["retry-after"]))
        messages.append(again)
    messages.append(details.RequestInfo(request_id=problem.get("request_id") or ""))
    for locale, name in (("en", "hint"), ("zh", "hint_zh")):
        if problem.get(name):
            messages.append(details.LocalizedMessage(locale=locale, message=problem[name]))
    status = Status(code=CODES.get(problem["status"], Code.UNKNOWN), message=problem["detail"])
    for message in messages:
        packed = Packed()
        packed.Pack(message)
        status.details.append(packed)
    return status


def misfit(field: str, message: Bilingual) -> Status:
    """Return what REST says of an invalid field, of one that REST cannot be asked with."""
    code = "invalid_request"
    said = {
        "type": f"{PAGES}#{code}",
        "status": 422,
        "detail": say("one_field"),
        "code": code,
        "errors": [problem(field, message)],
        "hint": REFUSALS[code].hint,
        "hint_zh": REFUSALS[code].hint_zh,
    }
    return status_of(said, {})
