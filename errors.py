"""Every error code a task can end with, named once, with its meaning and a hint in English and Chinese."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """What an error code promises to whoever reads it."""

    meaning: str
    retried: bool
    hint: str
    hint_zh: str


CODES: dict[str, Code] = {
    "corrupt": Code(
        "The file is damaged or is not what its name says.",
        False,
        "Open the file in the program that made it, save it again and submit the new copy.",
        "请用生成该文件的程序打开并重新保存，然后提交新文件。",
    ),
    "encrypted": Code(
        "The file is protected by a password.",
        False,
        "Remove the password and submit the file again.",
        "请先去除文件密码，再重新提交。",
    ),
    "empty": Code(
        "The document holds no text at all.",
        False,
        "Check that the right file was submitted; a document without text cannot be searched.",
        "请确认提交的文件是否正确；没有文字的文档无法被检索。",
    ),
    "needs_ocr": Code(
        "Pages are pictures without text.",
        False,
        "Run text recognition (OCR) on the scan and submit the result, or have Tesseract installed beside the workers.",
        "请先进行文字识别（OCR）再提交，或请管理员在 worker 旁安装 Tesseract（eng、chi_sim）。",
    ),
    "too_large": Code(
        "The document is larger than a limit of this service allows.",
        False,
        "Split the document, or ask the operator to raise MAX_DOCUMENT_BYTES.",
        "请拆分文档，或联系管理员调高 MAX_DOCUMENT_BYTES。",
    ),
    "unsupported_format": Code(
        "No reader knows this format.",
        False,
        "Convert the document to PDF, DOCX, PPTX, XLSX, HTML, Markdown, CSV or plain text, or put several into a zip.",
        "请将文档转换为 PDF、DOCX、PPTX、XLSX、HTML、Markdown、CSV 或纯文本，也可将多个文件打包为 zip。",
    ),
    "archive_bomb": Code(
        "The file inflates to far more than its size can justify.",
        False,
        "The file looks like an archive bomb and was not opened; submit the original document.",
        "该文件疑似压缩炸弹，未予解压；请提交原始文档。",
    ),
    "undecodable": Code(
        "The bytes are not text in any encoding that is known here.",
        False,
        "Save the file as UTF-8, or name its encoding in `encoding`.",
        "请将文件另存为 UTF-8，或在 `encoding` 中注明编码。",
    ),
    "not_found": Code(
        "The source names nothing that exists.",
        False,
        "Check the path, URL or upload, and submit again.",
        "请检查路径、网址或上传内容后重新提交。",
    ),
    "forbidden_path": Code(
        "The path lies outside the folders that may be read.",
        False,
        "Move the file below one of UPLOAD_ROOTS, or upload it over HTTP.",
        "请将文件放到 UPLOAD_ROOTS 指定的目录下，或通过 HTTP 上传。",
    ),
    "forbidden_url": Code(
        "The URL leads to an address that may not be reached.",
        False,
        "Use a public http(s) address, or ask the operator to allow this one (SOURCE_ALLOWED_HOSTS, SOURCE_ROOTS).",
        "请使用公网 http(s) 地址，或联系管理员放行该地址（SOURCE_ALLOWED_HOSTS、SOURCE_ROOTS）。",
    ),
    "fetch_failed": Code(
        "The URL could not be read.",
        True,
        "The source did not answer as expected; check that it is reachable, and that its `headers` let you in.",
        "来源未正常响应；请确认来源可访问，且 `headers` 中的凭据有效。",
    ),
    "embedder_rejected": Code(
        "The embedding provider refused the request.",
        False,
        "Check the provider's API key, model name and input limits.",
        "请检查嵌入服务的密钥、模型名称和输入限制。",
    ),
    "embedder_unavailable": Code(
        "The embedding provider failed or answered wrongly.",
        True,
        "The provider is failing; the task can be submitted again when it has recovered.",
        "嵌入服务暂时不可用；待其恢复后可重新提交。",
    ),
    "rate_limited": Code(
        "A provider asked for a slower pace.",
        True,
        "The provider's rate limit is spent; wait, or raise the limit with the provider.",
        "已达到服务商的速率上限；请稍候，或向服务商申请更高配额。",
    ),
    "timeout": Code(
        "A stage ran longer than the task's timeout.",
        True,
        "Raise `timeout` for this task, or split the document.",
        "请调高该任务的 `timeout`，或拆分文档。",
    ),
    "worker_crashed": Code(
        "The process that ran a stage died, again and again.",
        True,
        "The document crashes its reader; convert it to another format and submit it again.",
        "该文档会使解析程序崩溃；请转换为其他格式后重新提交。",
    ),
    "dependency_failed": Code(
        "A task that this one depends on did not complete.",
        False,
        "Mend and retry the task it depends on, then retry this one.",
        "请先修复并重试其依赖的任务，再重试本任务。",
    ),
    "expired": Code(
        "The task was not started before its `expires_at`.",
        False,
        "Submit the task again with a later `expires_at`.",
        "请以更晚的 `expires_at` 重新提交任务。",
    ),
    "cancelled": Code(
        "The task was cancelled on request.",
        False,
        "Nothing to do; submit the task again if it is wanted after all.",
        "无需处理；如仍需要，请重新提交任务。",
    ),
    "superseded": Code(
        "A later deletion or submission of the document overtook it.",
        False,
        "Nothing to do: what was asked last counts; submit the document again if it is wanted after all.",
        "无需处理：以最后一次请求为准；如仍需要该文档，请重新提交。",
    ),
    "internal": Code(
        "An unexpected error inside this service.",
        True,
        "Report this task's id to the operator; the log holds the details under that id.",
        "请将任务编号告知管理员；日志中以该编号记录了详情。",
    ),
}

#: What the same submission ends with again, however often it is retried. The others that are not tried again by
#: themselves lie in time, in a wish or in another task.
PERMANENT = frozenset(name for name, code in CODES.items() if not code.retried) - {
    "cancelled",
    "dependency_failed",
    "expired",
}


#: What a request may be refused with besides the codes of tasks. `retried`: the same request may be taken later.
REFUSALS: dict[str, Code] = {
    "bad_request": Code(
        "The request cannot be read.",
        False,
        "Mend what `detail` names: the body must be JSON in UTF-8, or a multipart form where a file is sent.",
        "请按 `detail` 的说明修正：请求体须为 UTF-8 编码的 JSON，上传文件时须为 multipart 表单。",
    ),
    "unauthorized": Code(
        "The request has no API key, or none that is known.",
        False,
        "Send one of the API keys as `Authorization: Bearer KEY`; the operator sets them (API_KEYS).",
        "请以 `Authorization: Bearer KEY` 发送 API 密钥；密钥由管理员设置（API_KEYS）。",
    ),
    "forbidden_role": Code(
        "The API key's role does not allow this.",
        False,
        "Use a key with the role that is named, or ask the operator for one (API_KEYS).",
        "请使用具有所需角色的 API 密钥，或联系管理员分配（API_KEYS）。",
    ),
    "forbidden_kb": Code(
        "The API key is bound to certain knowledge bases, and this is outside of them.",
        False,
        "Name one of the key's own KBs, or use a key that is not bound to any (API_KEYS).",
        "请指定该密钥有权访问的知识库，或使用不限知识库的密钥（API_KEYS）。",
    ),
    "csrf_token": Code(
        "A browser's session was used without its token.",
        False,
        "Send the `csrf_token` of `GET /session` as the header X-CSRF-Token; a program sends an API key instead.",
        "请将 `GET /session` 返回的 `csrf_token` 放入请求头 X-CSRF-Token；程序请改用 API 密钥。",
    ),
    "cross_site": Code(
        "A browser sent the request for a page of another site.",
        False,
        "Use a page of this service; a program sends an API key, and neither Origin nor Sec-Fetch-Site.",
        "请从本服务的页面操作；程序请使用 API 密钥，且不要发送 Origin 或 Sec-Fetch-Site。",
    ),
    "forbidden": Code(
        "The request may not be made.",
        False,
        "Ask the operator what your key is allowed to do.",
        "请向管理员确认您的密钥拥有哪些权限。",
    ),
    "no_such_resource": Code(
        "There is nothing at this address, or nothing of this id.",
        False,
        "Check the address and the id; `/docs` shows what there is, and ended tasks are deleted after a while.",
        "请检查地址和编号；`/docs` 列出了所有接口，已结束的任务会在一段时间后删除。",
    ),
    "method_not_allowed": Code(
        "The address does not understand this method.",
        False,
        "Use one of the methods that the header `Allow` names.",
        "请使用响应头 `Allow` 中列出的方法。",
    ),
    "request_timeout": Code(
        "The body came too slowly.",
        True,
        "Nothing was accepted: send it again over a faster connection, or in smaller requests.",
        "请求未被接受：请换用更快的网络重新发送，或拆成较小的请求。",
    ),
    "conflict": Code(
        "What is asked for does not go with the present state.",
        False,
        "Look at the task or resource again: it has changed since, and `detail` says how.",
        "请重新查看该任务或资源：其状态已改变，详见 `detail`。",
    ),
    "unsupported_media_type": Code(
        "The body is of a type that is not understood here, or compressed.",
        False,
        "Send JSON as `Content-Type: application/json`, uncompressed; an upload is a multipart form.",
        "请以 `Content-Type: application/json` 发送未压缩的 JSON；上传文件请用 multipart 表单。",
    ),
    "invalid_request": Code(
        "Fields of the request do not fit.",
        False,
        "Mend the fields that `errors` names; all of them are listed at once.",
        "请修正 `errors` 中列出的字段；所有不合要求的字段已一次列全。",
    ),
    "too_many_tasks": Code(
        "Too few of too many tasks fit the filter to be found while somebody waits.",
        False,
        "Narrow the filter: name `kb_id`, `status`, `batch_id`, or a shorter time of creation.",
        "请缩小筛选范围：指定 `kb_id`、`status`、`batch_id`，或更短的创建时间段。",
    ),
    "too_many_schedules": Code(
        "There are as many schedules as may be.",
        False,
        "Delete schedules that are not needed any more, or let one schedule do the work of several.",
        "请删除不再需要的定时计划，或将多个计划合并为一个。",
    ),
    "too_many_requests": Code(
        "The key's rate limit is spent.",
        True,
        "Wait as long as `Retry-After` says, or ask the operator for a higher limit (RATE_LIMIT_PER_MINUTE).",
        "请按 `Retry-After` 等待后重试，或联系管理员调高限额（RATE_LIMIT_PER_MINUTE）。",
    ),
    "unavailable": Code(
        "The service cannot serve this now: PostgreSQL is away, or too much is asked at once.",
        True,
        "Try again after `Retry-After` seconds, with the same Idempotency-Key; `detail` says what happened.",
        "请在 `Retry-After` 秒后重试，提交任务时请使用相同的 Idempotency-Key；详见 `detail`。",
    ),
}


class TaskError(Exception):
    """Work on a task failed for a reason its submitter can be told.

    Parameters:
      code: a key of `CODES`.
      message: what, where, why, in one sentence, without any secret.
      retry_after: seconds that a provider asked to wait before the next try.
      retryable: overrides what `CODES` says of the code.
      resume_at: an earlier stage, which makes what was found missing; the task goes on from there.

    Raises:
      KeyError: when the code is not one of `CODES`.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        retry_after: float | None = None,
        retryable: bool | None = None,
        resume_at: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry_after = retry_after
        self.retryable = CODES[code].retried if retryable is None else retryable
        self.resume_at = resume_at

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.code, self.message, self.retry_after, self.retryable, self.resume_at)

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def _rebuild(
    kind: type[TaskError],
    code: str,
    message: str,
    retry_after: float | None,
    retryable: bool,
    resume_at: str | None = None,
) -> TaskError:
    """Make a `TaskError` anew that crossed a process boundary."""
    return kind(code, message, retry_after=retry_after, retryable=retryable, resume_at=resume_at)
