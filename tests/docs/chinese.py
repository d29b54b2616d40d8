"""The Chinese of what the tables of docs/ take from the code: each sentence beside the English one that it stands for.

`tests/docs/tables.py` looks sentences up here. One that is changed in the code is no longer found, and fails a test
until its Chinese is written anew.
"""

from __future__ import annotations

#: The headings of rest.md.
TAGS = {
    "tasks": "任务",
    "schedules": "定时计划",
    "batches": "批次",
    "callbacks": "回调",
    "kbs": "知识库",
    "documents": "文档",
    "search": "检索",
    "events": "事件",
    "operations": "运维",
}

ROUTES = {
    # The sentence below each heading.
    "Work that is accepted now and done later: submit it, follow it, cancel it, run it again.": (
        "先接受、稍后执行的工作：提交、跟踪、取消、再次执行。"
    ),
    "Tasks that are submitted again and again, by the clock.": "由 clock 按时反复提交的任务。",
    "Many tasks in one request, counted and called back together.": "一次请求提交的多个任务，一起计数，一起回调。",
    "What the KB service is told of tasks and batches that ended: which are owed, and deliver them again.": (
        "任务和批次结束后对知识库服务的通知：哪些尚未送达，以及重新投递。"
    ),
    "Knowledge bases: what there is, and what each holds.": "知识库：有哪些，各有什么内容。",
    "What is searchable: documents, their chunks and their text.": "可以检索的内容：文档及其分块和文本。",
    "Questions to one KB or to several.": "对一个或多个知识库的检索。",
    "What happens, as it happens: Server-Sent Events.": "实时的事件流：Server-Sent Events。",
    "Health, metrics, queues and workers.": "健康状态、指标、队列和 worker。",
    # tasks
    "List tasks, newest first.": "列出任务，最新的在前。",
    "Submit a task.": "提交一个任务。",
    "Cancel tasks by a filter.": "按筛选条件取消任务。",
    "Run tasks again that failed or were cancelled, by a filter.": "按筛选条件重试失败或已取消的任务。",
    "Change the priority of waiting and queued tasks by a filter.": "按筛选条件修改等待中和排队中任务的优先级。",
    "Re-ingest documents by a filter, from where they came and as they were submitted; what each shows now stays"
    " searchable until it is replaced.": (
        "按筛选条件重新入库文档：从原来的来源，按原来的提交参数；新版本替换之前，现有内容仍可检索。"
    ),
    "Show a task.": "查看一个任务。",
    "Cancel a task.": "取消一个任务。",
    "Run a task again that failed or was cancelled.": "重试一个失败或已取消的任务。",
    "Say why a task does not run, what it waits for, and since when.": (
        "说明任务为什么没有执行、在等什么、从何时开始等。"
    ),
    "Take back as a whole what a bulk has done: retry what it cancelled, give what it retried its earlier end back,"
    " or give each task its priority back. What has ended or was changed again since stays.": (
        "整体撤销一次批量操作：重试被它取消的任务，把被它重试的任务恢复为之前的结束状态，或恢复每个任务原来的优先级。此后又结束或被修改过的任务保持不变。"
    ),
    "What a bulk is for, and what became of each, newest first.": "批量操作涉及的对象及各自的结果，最新的在前。",
    # schedules
    "List schedules, newest first.": "列出定时计划，最新的在前。",
    "Create a schedule.": "创建定时计划。",
    "Show a schedule.": "查看一个定时计划。",
    "Change a schedule. Where its times change, the next one is counted from now.": (
        "修改定时计划。时间有变时，下一次从现在起算。"
    ),
    "Delete a schedule. The tasks that it submitted stay.": "删除定时计划。它已提交的任务保留。",
    "Pause a schedule until it is resumed.": "暂停定时计划，直到恢复。",
    "Let a paused schedule fall due again. What fell due meanwhile is not caught up with.": (
        "恢复已暂停的定时计划。暂停期间到期的不会补做。"
    ),
    "Submit a schedule's task now, also while it is paused. Its due times stay as they are.": (
        "立即提交定时计划的任务，暂停时也可以。到期时间不变。"
    ),
    # batches
    "Submit 1 to 1,000 tasks.": "提交 1 到 1,000 个任务。",
    "List batches, newest first, with their counts by status.": "列出批次及其各状态的任务数，最新的在前。",
    "Show a batch.": "查看一个批次。",
    "Cancel every task of a batch that has not ended.": "取消批次中所有尚未结束的任务。",
    "Cancel every task of batches that has not ended, by a filter of the batches.": (
        "按批次的筛选条件，取消这些批次中所有尚未结束的任务。"
    ),
    "Run the failed tasks of batches again, by a filter of the batches.": (
        "按批次的筛选条件，重新执行这些批次中失败的任务。"
    ),
    # callbacks
    "The callbacks of a task and how their delivery went.": "任务的回调及其投递情况。",
    "Deliver a callback again, under the same `webhook-id`.": "重新投递一个回调，`webhook-id` 不变。",
    "The callbacks of a batch itself and how their delivery went.": "批次自身的回调及其投递情况。",
    "Deliver a batch's callback again, under the same `webhook-id`.": "重新投递批次的回调，`webhook-id` 不变。",
    "List callbacks, newest first.": "列出回调，最新的在前。",
    "Deliver callbacks again by a filter, each under its `webhook-id`.": (
        "按筛选条件重新投递回调，各自的 `webhook-id` 不变。"
    ),
    # kbs
    "List the KBs in the order of their ids.": "按 id 顺序列出知识库。",
    "Show a KB: what it holds, how its vectors are searched, and its tasks that are open or have failed.": (
        "查看一个知识库：内容、向量的检索方式，以及未结束和失败的任务。"
    ),
    "Change what is set for a KB; there is one from then on.": "修改知识库的设置；知识库不存在时随之建立。",
    "Delete a KB with all that was submitted to it before. What is submitted from now on stays.": (
        "删除知识库及此前提交到其中的全部内容。此后提交的保留。"
    ),
    # documents
    "List the documents of a KB.": "列出知识库的文档。",
    "Upload a document and submit its task.": "上传文档并提交其任务。",
    "Delete documents by a filter, which is that of `GET /kbs/{kb_id}/documents`, or by their `ids`.": (
        "按筛选条件删除文档，条件与 `GET /kbs/{kb_id}/documents` 相同，或按其 `ids`。"
    ),
    "Show a document.": "查看一篇文档。",
    "Change a document's metadata, by which a search can be filtered; nothing is read or embedded.": (
        "修改文档的元数据，检索可以按它筛选；不会重新读取或嵌入。"
    ),
    "Delete a document; search forgets it at once.": "删除文档；检索立即不再返回它。",
    "List a document's chunks.": "列出文档的分块。",
    "Show a chunk by its index, with those around it.": "按序号查看一个分块及其前后的分块。",
    "The text that chunks' `start` and `end` point into, counted in characters.": (
        "文档的文本；分块的 `start` 和 `end` 是其中的位置，按字符计。"
    ),
    "A document as it came, byte for byte.": "文档的原件，逐字节相同。",
    "Show what a text or an upload would become; nothing is kept.": "预览文本或上传文件的分块结果；什么都不保存。",
    # search
    "Search a KB.": "检索一个知识库。",
    "Search several KBs.": "检索多个知识库。",
    # events
    "Follow everything that happens; with a key that is bound to KBs, to their tasks.": (
        "跟踪全部事件；密钥限定了知识库时，只有这些知识库的任务。"
    ),
    "Follow a task to its end.": "跟踪一个任务直到结束。",
    "Follow the tasks of a batch to its end.": "跟踪批次的任务直到全部结束。",
    # operations
    "Show who is signed in.": "查看当前登录者。",
    "Sign a browser in: it gets a cookie in place of the key.": "浏览器登录：用 cookie 代替密钥。",
    "Sign a browser out.": "浏览器登出。",
    "Hold a queue back in the whole deployment.": "在整个部署中暂停一个队列。",
    "Let a queue go on.": "恢复一个队列。",
    "List who did what, newest first, for the last 90 days.": "列出最近 90 天谁做了什么，最新的在前。",
    "The worker processes: heartbeats and current tasks.": "worker 进程：心跳和正在执行的任务。",
    "The queues, as PostgreSQL and RabbitMQ see them.": "队列，分别来自 PostgreSQL 和 RabbitMQ 的数据。",
    "The deployment at a glance, and what needs attention.": "整个部署的概览，以及需要关注的问题。",
    "A measure over an hour (each 10 seconds), a day (each minute) or 90 days (each hour).": (
        "一项指标在一小时内（每 10 秒）、一天内（每分钟）或 90 天内（每小时）的变化。"
    ),
    "Why tasks failed: by code, stage and format, with an example and what can be done.": (
        "任务失败的原因：按错误代码、阶段和格式分组，附示例和处理办法。"
    ),
    "How many workers are wanted, as an autoscaler asks it.": "需要多少 worker，供自动伸缩使用。",
    "How long the oldest task has waited, as HireFire asks it.": "最早的任务已等待多久，供 HireFire 使用。",
    "The state of each dependency, of the clock and of the workers; `degraded` while one is not up.": (
        "各依赖、clock 和 worker 的状态；有一项不正常时为 `degraded`。"
    ),
    "Whether the process answers at all.": "进程是否有响应。",
    "Whether requests can be served.": "是否能够处理请求。",
    "The deployment's metrics; every web process shows the same, so scrape one.": (
        "整个部署的指标；每个 web 进程给出的都相同，抓取其中一个即可。"
    ),
}

#: The states of a task and its transitions.
LIFE_CYCLE = {
    "Accepted, but not due yet: it is scheduled, waits for another, or its next attempt is put off.": (
        "已接受但尚未到期：定时执行、等待其他任务，或下一次尝试被推迟。"
    ),
    "Ready; no worker has started its next attempt.": "已就绪，尚无 worker 开始下一次尝试。",
    "Started: a worker holds it, or its next stage awaits one.": (
        "已开始：某个 worker 正在执行，或下一阶段正在等待 worker。"
    ),
    "Every stage is done, and the result can be read.": "所有阶段已完成，可以读取结果。",
    "It ended without a result, and the error says why.": "没有结果就结束，原因见错误信息。",
    "It was stopped on request; what it had written is not visible.": "应请求停止；已写入的内容不可见。",
    "A client's request is committed.": "客户端的请求已提交事务。",
    "It is submitted with a `run_at` ahead or with tasks it depends on.": (
        "提交时带有未来的 `run_at`，或依赖其他任务。"
    ),
    "Its due time has come, and it waits for no other task.": "已到执行时间，且不等待其他任务。",
    "The last task that it waits for has ended, and its due time has come.": (
        "所等待的最后一个任务已结束，且已到执行时间。"
    ),
    "A worker's thread starts the stage.": "worker 的一个线程开始执行该阶段。",
    "Another task works on the same document and ends first.": "另一个任务正在处理同一文档，须等它先结束。",
    "The stage is done and the next one may be claimed.": "该阶段已完成，可以认领下一阶段。",
    "Several stages were done under one claim, which goes on with the last of them.": (
        "一次认领完成了多个阶段，并继续执行其中最后一个。"
    ),
    "The stage is large: its shards are claimed one by one, by any workers.": (
        "该阶段较大：分片由任意 worker 逐个认领。"
    ),
    "The last shard is done; its worker goes on with the stage.": "最后一个分片已完成，其 worker 继续执行该阶段。",
    "The last stage is done.": "最后一个阶段已完成。",
    "An attempt failed in a way that a later one may not.": "一次尝试失败，但之后的尝试可能成功。",
    "Its worker hands it back, as one that stops does; no attempt is counted.": (
        "worker 将其交还，例如 worker 停止时；不计入尝试次数。"
    ),
    "Its worker died; no error is counted.": "worker 中断；不计入错误次数。",
    "Its claim was lost: no worker knows of it.": "认领已丢失：没有 worker 知道它。",
    "Too many workers died with it: the last of them holds it again, so that it can fail.": (
        "执行它时崩溃的 worker 过多：将其重新记在最后一个 worker 名下，以便判为失败。"
    ),
    "What an earlier stage made is missing: it resumes there.": "缺少之前某个阶段的产物：从该阶段重新执行。",
    "An error that no retry mends, or the last retry.": "重试无法解决的错误，或最后一次重试失败。",
    "No worker had started it by `expires_at`.": "到 `expires_at` 时仍没有 worker 开始执行。",
    "A task that it depends on did not complete.": "它所依赖的任务没有完成。",
    "A later deletion of its document, or of its KB, overtook it.": "之后对该文档或知识库的删除取代了它。",
    "A client asked for it; whoever works on it is fenced off.": "客户端请求取消；正在执行它的 worker 不能再写入。",
    "A client asked for another run; it resumes at the stage that failed.": ("客户端请求再次执行；从失败的阶段继续。"),
    "The same, while a task that it depends on has not ended; or its cancellation is undone before its `run_at`.": (
        "同上，但它所依赖的任务尚未结束；或在 `run_at` 之前撤销了取消。"
    ),
    "Its retry is undone: it has the end again that it had before.": "其重试被撤销：恢复为之前的结束状态。",
    "The same, of one that was cancelled before.": "同上，针对之前已取消的任务。",
}
