"""What became of a request that is not answered: the `detail` of a problem."""

from __future__ import annotations

from collections.abc import Mapping

from sentences.sentence import Sentence

#: What can be missing, in Chinese.
THINGS = {
    "KB": "知识库",
    "batch": "批次",
    "callback": "回调",
    "chunk": "分块",
    "document": "文档",
    "queue": "队列",
    "schedule": "定时计划",
    "task": "任务",
}

DETAILS: Mapping[str, Sentence] = {
    # Addresses and bodies.
    "no_address": Sentence(
        "there is nothing at this address; /docs lists all addresses", "此地址不存在；/docs 列出了所有地址"
    ),
    "method": Sentence(
        "this address does not support {method}; see the header `Allow`", "此地址不支持 {method}；请查看响应头 `Allow`"
    ),
    "gone": Sentence("there is no {what} {value!r}", "{what_zh} {value!r} 不存在"),
    "one_field": Sentence("1 field is invalid; see `errors`", "有 1 个字段不合要求，详见 `errors`"),
    "fields": Sentence("{count} fields are invalid; see `errors`", "有 {count} 个字段不合要求，详见 `errors`"),
    "address_nul": Sentence("the address contains a NUL character; remove it", "地址包含 NUL 字符，请删除"),
    "no_json_type": Sentence(
        "send JSON with `Content-Type: application/json`", "请以 `Content-Type: application/json` 发送 JSON"
    ),
    "encoded_body": Sentence("send the body without `Content-Encoding`", "请求体不得使用 `Content-Encoding`"),
    "no_form": Sentence(
        "send a multipart form with the document as `file`", "请发送 multipart 表单，文档以 `file` 为名"
    ),
    "empty_body": Sentence("the body is empty; send a JSON object", "请求体为空；请发送 JSON 对象"),
    "not_json": Sentence("the body is not JSON: {reason}", "请求体不是 JSON：{reason}"),
    "deep_body": Sentence("the body is nested too deeply", "请求体嵌套过深"),
    "large_body": Sentence("the body is larger than {most:,} bytes; {remedy}", "请求体超过 {most:,} 字节；{remedy_zh}"),
    "many_values": Sentence(
        "the body contains more than {most:,} values; send it in several requests",
        "请求体包含的值超过 {most:,} 个；请分成多个请求发送",
    ),
    "large_preview": Sentence(
        "a preview takes at most {most:,} bytes; submit a larger document as a task",
        "预览最多 {most:,} 字节；更大的文档请作为任务提交",
    ),
    "slow_body": Sentence(
        "the body arrived too slowly: less than {rate:,} bytes a second for {seconds:g} s; nothing was accepted",
        "请求体发送过慢：连续 {seconds:g} 秒每秒不足 {rate:,} 字节；未接受任何内容",
    ),
    "no_length": Sentence("send the length of the body in `Content-Length`", "请以 `Content-Length` 给出请求体的长度"),
    "part_headers": Sentence("the headers of a part of the form are not UTF-8", "表单中某一部分的头不是 UTF-8 编码"),
    # Keys, sessions and limits.
    "no_key": Sentence(
        "send one of the API keys as `Authorization: Bearer KEY`", "请以 `Authorization: Bearer KEY` 发送 API 密钥"
    ),
    "no_keys": Sentence("this service asks for no API key (API_KEYS)", "本服务未设置 API 密钥（API_KEYS）"),
    "unknown_key": Sentence(
        "`key` is not one of the API keys; check it, or ask the operator for one",
        "`key` 不是有效的 API 密钥；请检查，或向管理员申请",
    ),
    "role": Sentence(
        "the API key {name!r} has the role {role}; {method} requires {needed} at this address",
        "API 密钥 {name!r} 的角色为 {role}；在此地址使用 {method} 需要 {needed}",
    ),
    "retry_role": Sentence("retrying a {kind} task requires the role operate", "重试 {kind} 任务需要 operate 角色"),
    "all_kbs": Sentence(
        "the API key {name!r} is limited to certain KBs, and this request concerns all KBs",
        "API 密钥 {name!r} 只能访问指定的知识库，而此请求涉及所有知识库",
    ),
    "weight_of_all": Sentence(
        "the API key {name!r} is limited to certain KBs, and `weight` concerns all KBs",
        "API 密钥 {name!r} 只能访问指定的知识库，而 `weight` 涉及所有知识库",
    ),
    "other_kb": Sentence(
        "the API key {name!r} is limited to other KBs and cannot access the KB {kb_id!r}",
        "API 密钥 {name!r} 只能访问其他知识库，无权访问知识库 {kb_id!r}",
    ),
    "no_kb": Sentence(
        "the API key {name!r} is limited to certain KBs and cannot access what belongs to no KB",
        "API 密钥 {name!r} 只能访问指定的知识库，无权访问不属于任何知识库的内容",
    ),
    "token": Sentence(
        "a request of a browser session must send the session's token in `{header}`",
        "浏览器会话的请求必须在 `{header}` 中附带会话令牌",
    ),
    "other_site": Sentence(
        "a browser sent this request from a page of another site; nothing was done",
        "浏览器从其他网站的页面发出了此请求；未执行任何操作",
    ),
    "scale_token": Sentence("this address contains no API key that may read it", "此地址不含有权读取的 API 密钥"),
    "rate": Sentence(
        "the rate limit of {count:.0f} requests a minute is exceeded (RATE_LIMIT_PER_MINUTE)",
        "已超过每分钟 {count:.0f} 个请求的限额（RATE_LIMIT_PER_MINUTE）",
    ),
    "sign_ins": Sentence(
        "too many sign-ins from this address have failed; wait before you try again",
        "来自此地址的登录失败次数过多；请稍后再试",
    ),
    "backlog": Sentence(
        "the maximum number of waiting tasks is reached (MAX_BACKLOG); nothing was accepted, try again later",
        "等待的任务数已达上限（MAX_BACKLOG）；未接受任何内容，请稍后再试",
    ),
    "streams": Sentence(
        "the maximum number of event streams is open (MAX_STREAMS); close some, try again later, or poll with an ETag",
        "打开的事件流已达上限（MAX_STREAMS）；请关闭一些、稍后再试，或改用 ETag 轮询",
    ),
    "previews": Sentence("too many previews are waiting", "等待的预览过多"),
    # Threads and PostgreSQL.
    "line": Sentence(
        "too many requests are waiting ({pool}); nothing was done, try again in a moment",
        "等待的请求过多（{pool}）；未执行任何操作，请稍后再试",
    ),
    "threads": Sentence(
        "all threads are in use ({pool}); nothing was done, try again in a moment",
        "所有线程都在使用中（{pool}）；未执行任何操作，请稍后再试",
    ),
    "no_answer": Sentence(
        "there was no answer in time ({pool}); try again in a moment", "未能及时得到结果（{pool}）；请稍后再试"
    ),
    "maybe_done": Sentence(
        "there was no answer in time ({pool}); whether it was done is unknown, check before you try again",
        "未能及时得到结果（{pool}）；操作是否完成未知，重试前请先确认",
    ),
    "commit": Sentence(
        "PostgreSQL does not respond; whether this was accepted is unknown. "
        "If the request had an Idempotency-Key, send it again with the same one",
        "PostgreSQL 没有响应；请求是否已被接受未知。若请求带有 Idempotency-Key，请以相同的键重新发送",
    ),
    "no_events": Sentence("PostgreSQL does not respond", "PostgreSQL 没有响应"),
    "database_read": Sentence("PostgreSQL: {reason}; try again in a moment", "PostgreSQL 暂时不可用；请稍后再试"),
    "database_undone": Sentence(
        "PostgreSQL: {reason}; nothing was accepted, try again in a moment",
        "PostgreSQL 暂时不可用；未接受任何内容，请稍后再试",
    ),
    "database_unknown": Sentence(
        "PostgreSQL: {reason}; whether this was accepted is unknown, send it again with the same Idempotency-Key",
        "PostgreSQL 暂时不可用；请求是否已被接受未知，请以相同的 Idempotency-Key 重新发送",
    ),
    "migration": Sentence(
        "the database lacks a migration; the operator has to run `alembic upgrade head`",
        "数据库缺少迁移；请管理员运行 `alembic upgrade head`",
    ),
    "unexpected": Sentence(
        "an unexpected error; the log holds the details under the request id",
        "发生意外错误；日志中以请求编号记录了详情",
    ),
    # States.
    "task_ended": Sentence("the task has already ended: it is {status}", "任务已经结束：状态为 {status}"),
    "batch_ended": Sentence("all tasks of the batch have already ended", "该批次的所有任务都已结束"),
    "no_retry": Sentence("the task cannot be retried: {reason}", "该任务无法重试：{reason}"),
    "is_status": Sentence("it is {status}", "其状态为 {status}"),
    "no_type": Sentence("this release has no task type {kind}", "此版本没有任务类型 {kind}"),
    "overtaken": Sentence(
        "a later deletion or submission of its document overtook it; submit it again",
        "其文档后来又被删除或重新提交；请重新提交该任务",
    ),
    "lacks_headers": Sentence(
        "its headers were kept for 24 hours after its end; submit it again, with them",
        "其 headers 在任务结束后只保留 24 小时；请连同 headers 重新提交",
    ),
    "it_depends": Sentence(
        "it depends on task {cause}, which is {status}", "它依赖任务 {cause}，而该任务的状态为 {status}"
    ),
    "other_embedder": Sentence(
        "the documents of {kb_id!r} are indexed with {present}; submit a kb_reindex task "
        "with embedder {wanted!r}, which embeds them again while they stay searchable",
        "知识库 {kb_id!r} 的文档使用 {present} 建立索引；请提交 embedder "
        "为 {wanted!r} 的 kb_reindex 任务，重新嵌入期间文档仍可检索",
    ),
    "no_original": Sentence(
        "the original of {document_id!r} is not kept: KEEP_ORIGINALS was "
        "false when it came, or it is being replaced; submit it again with `force`",
        "文档 {document_id!r} 的原件未保留：提交时 KEEP_ORIGINALS 为 false，或正在被替换；请以 `force` 重新提交",
    ),
    "bulk_runs": Sentence(
        "it is {status}; cancel it, or wait until it has ended", "该任务的状态为 {status}；请取消，或等待其结束"
    ),
    "no_undo": Sentence("a callback that was delivered cannot be taken back", "已送达的回调无法撤销"),
    "no_bulk": Sentence("it is a {kind} task and not a bulk operation", "该任务是 {kind} 任务，不是批量操作"),
    "too_many_tasks": Sentence(
        "too many tasks to search within {seconds} s; narrow the filter by `kb_id`, "
        "`status`, `batch_id` or a shorter range of creation times (`created_after`, `created_before`)",
        "该筛选条件需要查找的任务过多，无法在 {seconds} 秒内完成；请以 `kb_id`、`status`、`batch_id` "
        "或更短的创建时间段（`created_after`、`created_before`）缩小范围",
    ),
    "too_many_to_count": Sentence(
        "too many to count within {seconds} s; narrow the filter, such as by a shorter range of times",
        "数量过多，无法在 {seconds} 秒内统计；请缩小筛选范围，例如缩短时间段",
    ),
    "postgresql_refused": Sentence(
        "PostgreSQL refused it ({error}); the clock's log says why",
        "PostgreSQL 拒绝了它（{error}）；原因见时钟进程的日志",
    ),
    "too_many_to_find": Sentence(
        "too few of too many fit this filter to be found within {seconds} s; remove a part of it, or "
        "narrow it by a shorter range of times where it takes one",
        "符合该筛选条件的太少，而需要查找的过多，无法在 {seconds} 秒内找到；请去掉部分条件，或在支持时缩短时间段",
    ),
    "too_many_schedules": Sentence(
        "there are already {most:,} schedules, the maximum; delete one that is no longer needed",
        "已有 {most:,} 个定时计划，达到上限；请删除不再需要的计划",
    ),
}
