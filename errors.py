"""Every error code a task can end with, named once, with its meaning and a hint in English and Chinese."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """What an error code promises to whoever reads it."""

    meaning: str
    meaning_zh: str
    retried: bool
    hint: str
    hint_zh: str


CODES: dict[str, Code] = {
    "corrupt": Code(
        "The file is damaged or is not what its name says.",
        "文件已损坏，或并非文件名所称的格式。",
        False,
        "Open the file in the program that made it, save it again and submit the new copy.",
        "请用生成该文件的程序打开并重新保存，然后提交新文件。",
    ),
    "encrypted": Code(
        "The file is protected by a password.",
        "文件受密码保护。",
        False,
        "Remove the password and submit the file again.",
        "请先去除文件密码，再重新提交。",
    ),
    "empty": Code(
        "The document contains no text.",
        "文档中没有任何文字。",
        False,
        "Check that the right file was submitted; a document without text cannot be searched.",
        "请确认提交的文件是否正确；没有文字的文档无法被检索。",
    ),
    "needs_ocr": Code(
        "The pages are images without text.",
        "页面是图片，没有文字。",
        False,
        "Run text recognition (OCR) on the scan and submit the result, or have Tesseract installed beside the workers.",
        "请先进行文字识别（OCR）再提交，或请管理员在 worker 旁安装 Tesseract（eng、chi_sim）。",
    ),
    "too_large": Code(
        "The document exceeds a size limit of the service.",
        "文档超出了本服务的限制。",
        False,
        "Split the document, or ask the operator to raise MAX_DOCUMENT_BYTES.",
        "请拆分文档，或联系管理员调高 MAX_DOCUMENT_BYTES。",
    ),
    "unsupported_format": Code(
        "The file format is not supported.",
        "不支持该文件格式。",
        False,
        "Convert the document to PDF, DOCX, PPTX, XLSX, HTML, Markdown, CSV or plain text, or put several into a zip"
        "; for DOC and PPT, LibreOffice can be installed beside the workers.",
        "请将文档转换为 PDF、DOCX、PPTX、XLSX、HTML、Markdown、CSV 或纯文本，也可将多个文件打包为 zip。"
        "DOC 和 PPT 也可在管理员于 worker 旁安装 LibreOffice 后直接读取。",
    ),
    "archive_bomb": Code(
        "The archive expands to far more data than its size justifies.",
        "文件展开后的大小与其自身大小不成比例。",
        False,
        "The file looks like an archive bomb and was not opened; submit the original document.",
        "该文件疑似压缩炸弹，未予解压；请提交原始文档。",
    ),
    "undecodable": Code(
        "The file is not text in any encoding that the service supports.",
        "无法以任何已知编码读出文字。",
        False,
        "Save the file as UTF-8, or give its encoding in `encoding`.",
        "请将文件另存为 UTF-8，或在 `encoding` 中注明编码。",
    ),
    "not_found": Code(
        "The source does not exist.",
        "来源不存在。",
        False,
        "Check the path, URL or upload, and submit the document again.",
        "请检查路径、网址或上传内容后重新提交。",
    ),
    "forbidden_path": Code(
        "The path is outside the folders that the service may read.",
        "该路径不允许读取。",
        False,
        "Move the file into one of UPLOAD_ROOTS, or upload it over HTTP.",
        "请将文件放到 UPLOAD_ROOTS 指定的目录下，或通过 HTTP 上传。",
    ),
    "forbidden_url": Code(
        "The URL leads to an address that the service may not connect to.",
        "该网址指向不允许访问的地址。",
        False,
        "Use a public http(s) address, or ask the operator to allow this one (SOURCE_ALLOWED_HOSTS, SOURCE_ROOTS).",
        "请使用公网 http(s) 地址，或联系管理员放行该地址（SOURCE_ALLOWED_HOSTS、SOURCE_ROOTS）。",
    ),
    "fetch_failed": Code(
        "The URL could not be read.",
        "无法读取该网址。",
        True,
        "Check that the source is reachable and that the credentials in `headers` are valid.",
        "请确认来源可访问，且 `headers` 中的凭据有效。",
    ),
    "embedder_rejected": Code(
        "The embedding provider rejected the request.",
        "嵌入服务拒绝了请求。",
        False,
        "Check the provider's API key, model name and input limits.",
        "请检查嵌入服务的密钥、模型名称和输入限制。",
    ),
    "embedder_unavailable": Code(
        "The embedding provider failed or returned an invalid response.",
        "嵌入服务出错或返回了错误结果。",
        True,
        "Retry the task when the provider has recovered.",
        "请在嵌入服务恢复后重试该任务。",
    ),
    "rate_limited": Code(
        "A provider's rate limit was reached.",
        "已达到服务商的速率上限。",
        True,
        "Wait, or ask the provider for a higher rate limit.",
        "请稍候，或向服务商申请更高的速率上限。",
    ),
    "timeout": Code(
        "A stage ran longer than the task's timeout.",
        "某一阶段运行时间过长。",
        True,
        "Raise `timeout` for this task, or split the document.",
        "请调高该任务的 `timeout`，或拆分文档。",
    ),
    "worker_crashed": Code(
        "The process that ran a stage crashed repeatedly.",
        "执行该阶段的进程一再崩溃。",
        True,
        "The document crashes its reader: convert it to another format and submit it again.",
        "该文档会使解析程序崩溃；请转换为其他格式后重新提交。",
    ),
    "dependency_failed": Code(
        "A task that this one depends on did not complete.",
        "所依赖的任务没有完成。",
        False,
        "Fix and retry the task it depends on, then retry this one.",
        "请先修复并重试其依赖的任务，再重试本任务。",
    ),
    "expired": Code(
        "The task was not started before its `expires_at`.",
        "任务在 `expires_at` 之前没有开始。",
        False,
        "Submit the task again with a later `expires_at`.",
        "请以更晚的 `expires_at` 重新提交任务。",
    ),
    "cancelled": Code(
        "The task was cancelled on request.",
        "任务已按要求取消。",
        False,
        "Nothing to do; submit the task again if it is still needed.",
        "无需处理；如仍需要，请重新提交任务。",
    ),
    "superseded": Code(
        "A later submission or deletion of the same document replaced this task.",
        "该文档随后被删除或重新提交，本任务已被取代。",
        False,
        "Nothing to do: the latest request applies. Submit the document again if it is still needed.",
        "无需处理：以最后一次请求为准；如仍需要该文档，请重新提交。",
    ),
    "internal": Code(
        "An unexpected error inside the service.",
        "本服务内部发生意外错误。",
        True,
        "Report the task's id to the operator; the log holds the details under that id.",
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
        "The request is malformed.",
        "请求格式有误。",
        False,
        "Correct what `detail` describes: the body must be JSON in UTF-8, or a multipart form for an upload.",
        "请按 `detail` 的说明修正：请求体须为 UTF-8 编码的 JSON，上传文件时须为 multipart 表单。",
    ),
    "unauthorized": Code(
        "The request has no API key, or an unknown one.",
        "请求没有附带 API 密钥，或密钥不被识别。",
        False,
        "Send one of the API keys as `Authorization: Bearer KEY`; the operator sets them (API_KEYS).",
        "请以 `Authorization: Bearer KEY` 发送 API 密钥；密钥由管理员设置（API_KEYS）。",
    ),
    "forbidden_role": Code(
        "The API key's role does not allow this.",
        "该 API 密钥的角色不允许此操作。",
        False,
        "Use a key with the required role, or ask the operator for one (API_KEYS).",
        "请使用具有所需角色的 API 密钥，或联系管理员分配（API_KEYS）。",
    ),
    "forbidden_kb": Code(
        "The API key is limited to certain knowledge bases, and the request is outside of them.",
        "该 API 密钥只能访问指定的知识库，而此请求超出其范围。",
        False,
        "Use one of the key's own KBs, or a key that is not limited to KBs (API_KEYS).",
        "请指定该密钥有权访问的知识库，或使用不限知识库的密钥（API_KEYS）。",
    ),
    "csrf_token": Code(
        "The request uses a browser session and lacks the session's CSRF token.",
        "请求使用了浏览器会话，但缺少该会话的 CSRF 令牌。",
        False,
        "Send the `csrf_token` of `GET /session` in the header X-CSRF-Token. Programs send an API key instead.",
        "请将 `GET /session` 返回的 `csrf_token` 放入请求头 X-CSRF-Token；程序请改用 API 密钥。",
    ),
    "cross_site": Code(
        "A browser sent the request from a page of another site.",
        "此请求由浏览器从其他网站的页面发出。",
        False,
        "Use a page of this service. Programs send an API key, and neither Origin nor Sec-Fetch-Site.",
        "请从本服务的页面操作；程序请使用 API 密钥，且不要发送 Origin 或 Sec-Fetch-Site。",
    ),
    "forbidden": Code(
        "The request is not allowed.",
        "此请求不被允许。",
        False,
        "Ask the operator what your key is allowed to do.",
        "请向管理员确认您的密钥拥有哪些权限。",
    ),
    "no_such_resource": Code(
        "There is no resource at this address or with this id.",
        "该地址或编号对应的资源不存在。",
        False,
        "Check the address and the id. `/docs` lists all addresses; tasks that ended are deleted after some time.",
        "请检查地址和编号；`/docs` 列出了所有接口，已结束的任务会在一段时间后删除。",
    ),
    "method_not_allowed": Code(
        "The address does not support this method.",
        "该地址不支持此方法。",
        False,
        "Use one of the methods listed in the header `Allow`.",
        "请使用响应头 `Allow` 中列出的方法。",
    ),
    "request_timeout": Code(
        "The request body arrived too slowly.",
        "请求体发送过慢。",
        True,
        "Nothing was accepted. Send it again over a faster connection, or in smaller requests.",
        "请求未被接受：请换用更快的网络重新发送，或拆成较小的请求。",
    ),
    "conflict": Code(
        "The current state of the resource does not allow the request.",
        "资源的当前状态不允许此请求。",
        False,
        "Get the task or resource again: its state has changed, as `detail` describes.",
        "请重新查看该任务或资源：其状态已改变，详见 `detail`。",
    ),
    "unsupported_media_type": Code(
        "The request body has an unsupported media type or is compressed.",
        "请求体的类型不受支持，或已被压缩。",
        False,
        "Send uncompressed JSON with `Content-Type: application/json`, or a multipart form for an upload.",
        "请以 `Content-Type: application/json` 发送未压缩的 JSON；上传文件请用 multipart 表单。",
    ),
    "invalid_request": Code(
        "One or more fields of the request are invalid.",
        "请求中有字段不合要求。",
        False,
        "Correct the fields listed in `errors`; all of them are listed at once.",
        "请修正 `errors` 中列出的字段；所有不合要求的字段已一次列全。",
    ),
    "too_many_tasks": Code(
        "The filter would have to search too much.",
        "该筛选条件需要查找的内容过多。",
        False,
        "Narrow the filter, of tasks by `kb_id`, `status`, `batch_id`, or a shorter range of creation times.",
        "请缩小筛选范围；任务可指定 `kb_id`、`status`、`batch_id`，或更短的创建时间段。",
    ),
    "too_many_schedules": Code(
        "The maximum number of schedules is reached.",
        "定时计划的数量已达上限。",
        False,
        "Delete schedules that are no longer needed, or combine several into one.",
        "请删除不再需要的定时计划，或将多个计划合并为一个。",
    ),
    "too_many_requests": Code(
        "The API key's rate limit is exceeded.",
        "该密钥的请求限额已用完。",
        True,
        "Wait for the time given in `Retry-After`, or ask the operator for a higher limit (RATE_LIMIT_PER_MINUTE).",
        "请按 `Retry-After` 等待后重试，或联系管理员调高限额（RATE_LIMIT_PER_MINUTE）。",
    ),
    "unavailable": Code(
        "The service is temporarily unavailable: PostgreSQL cannot be reached, or there are too many requests.",
        "服务暂时不可用：无法连接 PostgreSQL，或请求过多。",
        True,
        "Try again after `Retry-After` seconds with the same Idempotency-Key; see `detail`.",
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
