"""What is wrong with a field of a request: its codes, and a sentence for each kind of mistake.

A sentence follows the name of the field, as in `kb_id: is required`.
"""

from __future__ import annotations

from collections.abc import Mapping

from sentences.sentence import FieldCode, Sentence

#: By what programs tell apart what is wrong with a field.
CODES: Mapping[str, FieldCode] = {
    "missing": FieldCode("A required field is not there.", "缺少必填字段。"),
    "unknown": FieldCode("The request has no such field.", "该请求没有此字段。"),
    "wrong_type": FieldCode(
        "The value has another type, such as a text instead of a number.", "值的类型不对，例如应为数字却是文本。"
    ),
    "wrong_length": FieldCode("A text or a list is too short or too long.", "文本或列表过短或过长。"),
    "out_of_range": FieldCode("A number is too small or too large.", "数值过小或过大。"),
    "not_allowed": FieldCode("The value is none of those that are allowed.", "值不在允许的范围内。"),
    "invalid": FieldCode(
        "The value is invalid for another reason, which `message` says.", "值因其他原因无效，详见 `message_zh`。"
    ),
}

#: What is wrong with a field, by what pydantic calls it (https://docs.pydantic.dev/latest/errors/validation_errors/).
BY_PYDANTIC: Mapping[str, Sentence] = {
    "missing": Sentence("is required", "为必填项", "missing"),
    "extra_forbidden": Sentence("is not a field of this request", "不是此请求的字段", "unknown"),
    "greater_than": Sentence("must be greater than {gt}", "必须大于 {gt}", "out_of_range"),
    "greater_than_equal": Sentence("must be at least {ge}", "不得小于 {ge}", "out_of_range"),
    "less_than": Sentence("must be less than {lt}", "必须小于 {lt}", "out_of_range"),
    "less_than_equal": Sentence("must be at most {le}", "不得大于 {le}", "out_of_range"),
    "finite_number": Sentence("must be a finite number", "必须是有限的数值", "out_of_range"),
    "int_parsing_size": Sentence("is an integer with too many digits", "整数位数过多", "wrong_type"),
    "string_too_short": Sentence(
        "must have at least {min_length} characters", "至少需要 {min_length} 个字符", "wrong_length"
    ),
    "string_too_long": Sentence(
        "must have at most {max_length} characters", "最多 {max_length} 个字符", "wrong_length"
    ),
    "too_short": Sentence(
        "must have at least {min_length} entries and has {actual_length}",
        "至少需要 {min_length} 项，现有 {actual_length} 项",
        "wrong_length",
    ),
    "too_long": Sentence("must have at most {max_length} entries", "最多 {max_length} 项", "wrong_length"),
    "literal_error": Sentence("must be {expected}", "必须是 {expected} 之一", "not_allowed"),
    "string_pattern_mismatch": Sentence("must match the pattern {pattern}", "必须符合格式 {pattern}", "not_allowed"),
    "string_type": Sentence("must be a text", "必须是文本", "wrong_type"),
    "string_unicode": Sentence("must be a text of valid Unicode characters", "必须是由有效 Unicode 字符组成的文本"),
    "int_type": Sentence("must be an integer", "必须是整数", "wrong_type"),
    "int_parsing": Sentence("must be an integer", "必须是整数", "wrong_type"),
    "int_from_float": Sentence("must be an integer, without a fraction", "必须是整数，不能带小数", "wrong_type"),
    "float_type": Sentence("must be a number", "必须是数值", "wrong_type"),
    "float_parsing": Sentence("must be a number", "必须是数值", "wrong_type"),
    "bool_type": Sentence("must be true or false", "必须是 true 或 false", "wrong_type"),
    "bool_parsing": Sentence("must be true or false", "必须是 true 或 false", "wrong_type"),
    "list_type": Sentence("must be a list", "必须是列表", "wrong_type"),
    "dict_type": Sentence("must be an object", "必须是对象", "wrong_type"),
    "model_type": Sentence("must be an object", "必须是对象", "wrong_type"),
    "model_attributes_type": Sentence("must be an object", "必须是对象", "wrong_type"),
    "uuid_type": Sentence("must be a UUID, as a text", "必须是文本形式的 UUID", "wrong_type"),
    "uuid_parsing": Sentence("must be a UUID", "必须是 UUID", "wrong_type"),
    "datetime_type": Sentence(
        "must be a time, such as 2030-01-31T12:00:00Z", "必须是时间，例如 2030-01-31T12:00:00Z", "wrong_type"
    ),
    "datetime_parsing": Sentence(
        "must be a time, such as 2030-01-31T12:00:00Z", "必须是时间，例如 2030-01-31T12:00:00Z", "wrong_type"
    ),
    "datetime_from_date_parsing": Sentence(
        "must be a time, such as 2030-01-31T12:00:00Z", "必须是时间，例如 2030-01-31T12:00:00Z", "wrong_type"
    ),
    "timezone_aware": Sentence(
        "must have a time zone, such as the Z in 2030-01-31T12:00:00Z", "必须带时区，例如 2030-01-31T12:00:00Z 中的 Z"
    ),
}
#: What is said of a kind that pydantic adds later.
OTHERWISE = Sentence("is not a value that this field can have", "不是此字段可接受的值")

#: What is wrong with a field, by rules of this service.
OF_FIELDS: Mapping[str, Sentence] = {
    # Of any field.
    "nul": Sentence("contains a NUL character, which cannot be stored; remove it", "包含无法存储的 NUL 字符，请删除"),
    "surrogate": Sentence(
        "contains half of a surrogate pair, which is no character; remove it",
        "包含不成对的代理码位，不是有效字符，请删除",
    ),
    "infinite": Sentence("contains a number that is too large for JSON", "包含超出 JSON 范围的数值"),
    "too_many_values": Sentence(
        "contains more than {most:,} values; store them elsewhere and send their address or id",
        "包含的值超过 {most:,} 个；请存放在别处，改为发送其地址或编号",
    ),
    "too_deep": Sentence("is nested more than {most} levels deep", "嵌套超过 {most} 层"),
    "unstorable": Sentence(
        "contains a value that cannot be stored; nothing was accepted", "包含无法存储的值；未接受任何内容"
    ),
    "large_metadata": Sentence(
        "takes {size:,} bytes as JSON, and may take {most:,}; store the rest elsewhere and send its address or id",
        "以 JSON 计为 {size:,} 字节，最多 {most:,} 字节；请将其余内容存放在别处，改为发送其地址或编号",
    ),
    "large_payload": Sentence(
        "takes {size:,} bytes as JSON, and may take {most:,} besides "
        "`content`; upload what is large, or send its address or id",
        "以 JSON 计为 {size:,} 字节，除 `content` 外最多 {most:,} 字节；请上传较大的内容，或改为发送其地址或编号",
    ),
    "credentials": Sentence(
        "contains a user name or password; a URL must not contain any", "包含用户名或密码；网址中不得包含"
    ),
    "webhook_secret": Sentence(
        "must be whsec_ followed by base64, or two of these", "必须是 whsec_ 加 base64，或两个这样的值"
    ),
    "idempotency_key": Sentence("must be 1 to 255 visible ASCII characters", "必须是 1 到 255 个可见的 ASCII 字符"),
    "reused_key": Sentence(
        "was used with another request; make a new key for each new request",
        "已用于另一个请求；每个新请求都须使用新的键",
    ),
    "cursor": Sentence("is not a cursor of this service", "不是本服务给出的游标"),
    "other_order": Sentence("is a cursor of another order", "是另一种排序的游标"),
    # Of tasks.
    "task_type": Sentence("is not a task type; the task types are {names}", "不是任务类型；任务类型有 {names}"),
    "own_task_type": Sentence(
        "cannot be submitted: {name} tasks are made by requests of their own, such as POST /tasks/cancel",
        "不能直接提交：{name} 任务由专门的请求创建，例如 POST /tasks/cancel",
    ),
    "needs_kb": Sentence("is required for a {name} task", "{name} 任务必须指定知识库"),
    "upload_id": Sentence("is set by the upload itself and cannot be sent", "由上传过程设置，不能由客户端指定"),
    "year": Sentence("must be between the years {first} and {last}", "年份必须在 {first} 与 {last} 之间"),
    "expires_at": Sentence("must be in the future, and after run_at", "必须晚于当前时间和 run_at"),
    "no_task": Sentence("there is no task {ids}", "任务 {ids} 不存在"),
    "rejected_item": Sentence("the item {name!r} was rejected", "同批的任务 {name!r} 未被接受"),
    "item_name": Sentence("must be a text that no other item has", "必须是文本，且不得与其他任务重名"),
    "circle": Sentence("depend on each other in a circle: {circle}", "循环依赖：{circle}"),
    # Of documents.
    "long_id": Sentence("must take at most {most:,} bytes in UTF-8", "以 UTF-8 计最多 {most:,} 字节"),
    "chunk_overlap": Sentence("must be smaller than chunk_size", "必须小于 chunk_size"),
    "one_source": Sentence(
        "must contain exactly one of file_path, url and content; it contains {given}",
        "必须且只能包含 file_path、url、content 之一；现有：{given}",
    ),
    "headers_with_url": Sentence("can be sent only with an http(s) `url`", "只能与 http(s) 的 `url` 一起使用"),
    "headers_object": Sentence("must be an object whose names and values are texts", "必须是名称和值均为文本的对象"),
    "headers_number": Sentence("has {count:,} headers, and may have {most}", "有 {count:,} 个请求头，最多 {most} 个"),
    "headers_size": Sentence("has {size:,} characters, and may have {most:,}", "共 {size:,} 个字符，最多 {most:,} 个"),
    "header_name": Sentence(
        "contains an invalid header name; a name consists of letters, digits and -",
        "包含无效的请求头名称；名称只能由字母、数字和 - 组成",
    ),
    "header_reserved": Sentence(
        "must not contain {name}, which the service sets itself", "不得包含由服务自行设置的 {name}"
    ),
    "header_value": Sentence(
        "has a value of {name} that is empty, begins or ends with a space, or is not printable ASCII",
        "{name} 的值为空、以空格开头或结尾，或含有不可打印的 ASCII 字符",
    ),
    "header_twice": Sentence(
        "contains a header twice; names are compared without regard to case", "包含重复的请求头；名称不区分大小写"
    ),
    "file_twice": Sentence("is there twice; send one document at a time", "出现了两次；每次只能发送一个文档"),
    "file_missing": Sentence("is required; send the document under this name", "为必填项；请以此名称发送文档"),
    "data_missing": Sentence("is required; only the first message has `info`", "为必填项；只有第一条消息包含 `info`"),
    "info_missing": Sentence("is required in the first message", "第一条消息中为必填项"),
    "no_json_value": Sentence("contains a value that JSON does not have: {reason}", "包含 JSON 没有的值：{reason}"),
    "form_size": Sentence("must take at most {most:,} bytes", "最多 {most:,} 字节"),
    "not_utf8": Sentence("is not UTF-8", "不是 UTF-8 编码"),
    "name_value": Sentence("must be name=value, such as lang=de", "必须是 name=value 的形式，例如 lang=de"),
    "names_no_document": Sentence(
        'selects nothing: give {names}, or `"all": true`',
        '没有选中任何文档：请给出 {names}，或 `"all": true`',
    ),
    "no_rerank": Sentence(
        "cannot be used: no rerank model is configured (RERANK)", "无法使用：未配置重排序模型（RERANK）"
    ),
    # Of KBs.
    "kb_id_length": Sentence("must have at most {most} characters", "最多 {most} 个字符"),
    "empty_term": Sentence(
        "contains no word and no number, so nothing could be found by it", "不含任何词或数字，无法用于检索"
    ),
    "one_term": Sentence(
        "contains one term only; case, width and traditional characters make no difference",
        "只包含一个词；大小写、全半角和繁简体视为相同",
    ),
    "too_many_terms": Sentence(
        "contains {count:,} terms, and may contain {most:,} in all groups together",
        "共有 {count:,} 个词，所有分组合计最多 {most:,} 个",
    ),
    # Of filters.
    "status": Sentence("must be one or more of {names}", "必须是 {names} 中的一个或多个"),
    "one_of": Sentence("must be one of {names}", "必须是以下之一：{names}"),
    "filter_empty": Sentence(
        "selects everything: name what is meant, or set `all` to true", "没有任何条件：请指定条件，或将 `all` 设为 true"
    ),
    "filter_status": Sentence("{action} applies to tasks that are {names}", "{action} 只适用于状态为 {names} 的任务"),
    "document_needs_kb": Sentence(
        "requires `kb_id`, since document ids are unique within a KB only",
        "必须同时指定 `kb_id`，因为文档编号仅在知识库内唯一",
    ),
    "error_status": Sentence(
        "applies only to failed and cancelled tasks; leave out `status`, or name these alone",
        "只适用于失败和已取消的任务；请不要指定 `status`，或只指定这两种",
    ),
    "queue_status": Sentence(
        "does not apply to tasks that have ended; leave out `status`, or name {open}",
        "不适用于已结束的任务；请不要指定 `status`，或指定 {open}",
    ),
    "queue_error": Sentence(
        "does not apply to tasks that have ended; leave out `error_code`",
        "不适用于已结束的任务；请不要指定 `error_code`",
    ),
    "priority_alone": Sentence(
        "applies to ended tasks only together with {few}; give one of these, or set `status` to {open}",
        "用于已结束的任务时须与 {few} 之一一起使用；或将 `status` 设为 {open}",
    ),
    "failed_alone": Sentence(
        "applies to failed and cancelled tasks; set `status` to {failed}, or give {few} as well. Tasks that wait for a "
        "stage are found by `queue`",
        "适用于失败和已取消的任务；请将 `status` 设为 {failed}，或同时指定 {few}。等待某一阶段的任务请用 `queue` 查找",
    ),
    "finished_status": Sentence(
        "applies only to tasks that have ended; leave out `queue`, and `status` or name {ended}",
        "只适用于已结束的任务；请不要指定 `queue`，并且不指定 `status` 或指定 {ended}",
    ),
    "finished_alone": Sentence(
        "must be combined with {bounds}, or with `status`: {failed}",
        "须与 {bounds} 一起使用，或将 `status` 设为 {failed}",
    ),
    "one_kb": Sentence(
        "is required, since the API key is limited to several KBs", "为必填项，因为该 API 密钥可访问多个知识库"
    ),
    "event_id": Sentence("is not the id of an event", "不是事件的编号"),
    # Of schedules.
    "time_zone": Sentence(
        "{name!r} is not a time zone; use a name such as Europe/Berlin",
        "{name!r} 不是时区；请使用 Europe/Berlin 这样的名称",
    ),
    "cron_length": Sentence(
        "must have at most {most} characters; use ranges and steps, such as 0-59/5",
        "最多 {most} 个字符；请使用范围和步长，例如 0-59/5",
    ),
    "cron_fields": Sentence(
        "must have five fields: minute, hour, day of the month, month and day of the week, as in `30 2 * * 1-5`",
        "必须有五个字段：分、时、日、月、星期，例如 `30 2 * * 1-5`",
    ),
    "cron": Sentence(
        "is not a cron expression: {reason}; the fields are minute, hour, "
        "day of the month, month and day of the week, as in `30 2 * * 1-5`",
        "不是有效的 cron 表达式；字段依次为分、时、日、月、星期，例如 `30 2 * * 1-5`",
    ),
    "never_due": Sentence("is never due", "永远不会到期"),
    "no_change": Sentence(
        "must contain at least one of name, cron, timezone, catch_up and task",
        "至少须包含 name、cron、timezone、catch_up、task 之一",
    ),
    "scheduled_field": Sentence("cannot be set for the task of a schedule", "不能用于定时计划的任务"),
    "large_scheduled": Sentence(
        "takes {size:,} bytes as JSON, and may take {most:,}; send the address of what is large",
        "以 JSON 计为 {size:,} 字节，最多 {most:,} 字节；较大的内容请改为发送其地址",
    ),
}
