"""The verbs of `tm` and their options; filters are named as in REST."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

EPILOG = """\
TM_API_URL says where the service is (http://localhost:8084), TM_API_KEY holds one of its keys if it asks for one.
Exit codes: 0 all went well; 1 a task failed, or doctor found something; 2 wrong usage, refused or unreachable;
124 timed out; 130 interrupted. `tm VERB --help` says more of a verb."""
STATUSES = ("waiting", "queued", "processing", "completed", "failed", "cancelled")
PRIORITIES = ("low", "normal", "high", "urgent")
TIMES = ("created-after", "created-before", "finished-after", "finished-before")
HEADER = "what a URL is fetched with, for the service to keep secret; may be repeated; @FILE holds one a line"
SORTS = ("document_id", "-document_id", "updated_at", "-updated_at", "size", "-size")
KB_SETTINGS = (
    "chunk_size",
    "chunk_overlap",
    "chunk_unit",
    "embedder",
    "callback_url",
    "callback_secret",
    "synonyms",
    "weight",
)
TEXTS = ("task-type", "batch-id", "document-id", "error-code", "queue", "stage", "format")


class Takes(NamedTuple):
    """What an action of a verb takes.

    Parameters:
      options: by the names that the parser gives their values.
      named: whether it is for one thing, by its name; None: for one, or for several.
    """

    options: tuple[str, ...] = ()
    named: bool | None = True


DOCUMENTS = ("prefix", "metadata", "format", "state", "updated_after")
SCHEDULE = ("cron", "task", "called", "timezone", "catch_up")
CALLBACKS = ("state", "kb_id", "task_id", "batch_id", "host", "created_after", "created_before")
BATCHES = ("status", "task_status", "kb_id", "created_after", "created_before")
#: The one table of what each action of a verb takes. What it does not say is refused, since it would be ignored. All of
#: them take what none is said to take, such as the form of the answer.
ACTIONS: dict[str, dict[str, Takes]] = {
    "kbs": {
        "list": Takes(("limit",), named=False),
        "get": Takes(),
        "set": Takes((*KB_SETTINGS, "unset")),
        "delete": Takes(("yes",)),
    },
    "documents": {
        "list": Takes((*DOCUMENTS, "sort", "limit"), named=False),
        "get": Takes(),
        "text": Takes(),
        "original": Takes(("to",)),
        "chunks": Takes(("limit",)),
        "change": Takes(("metadata",)),
        "delete": Takes((*DOCUMENTS, "all", "dry_run", "yes"), named=None),
    },
    "batches": {
        "list": Takes((*BATCHES, "limit"), named=False),
        "get": Takes(),
        **dict.fromkeys(("cancel", "retry"), Takes((*BATCHES, "all", "dry_run", "yes"), named=None)),
    },
    "queues": {"list": Takes(named=False), "pause": Takes(("reason",)), "resume": Takes()},
    "schedules": {
        "list": Takes(("kb_id", "limit"), named=False),
        "get": Takes(),
        "create": Takes(SCHEDULE, named=False),
        "change": Takes(SCHEDULE),
        "pause": Takes(),
        "resume": Takes(),
        "run": Takes(),
        "delete": Takes(("yes",)),
    },
    "callbacks": {
        "list": Takes((*CALLBACKS, "limit"), named=False),
        "redeliver": Takes((*CALLBACKS, "dry_run", "yes"), named=False),
    },
}


def _laid_out(prog: str) -> argparse.HelpFormatter:
    return argparse.RawDescriptionHelpFormatter(prog, max_help_position=26, width=110)


class Parser(argparse.ArgumentParser):
    """A parser that shows a help that keeps its lines, and takes no abbreviations.

    `actions` are those of its verb, where it has some.
    """

    def __init__(self, **options: object) -> None:
        self.actions: Mapping[str, Takes] = {}
        super().__init__(
            formatter_class=_laid_out,
            allow_abbrev=False,
            **options,  # type: ignore[arg-type]
        )

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, and refuse what is left here: by itself argparse would show how `tm` is used, and not the verb."""
        arguments, rest = super().parse_known_args(_sorted(args), namespace)
        if rest and not self._takes(arguments, rest):
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        if self.actions and (wrong := self._ignored(arguments)):
            self.exit(2, f"{self.prog}: {wrong}\n")
        return arguments, []

    def of_actions(self, actions: Mapping[str, Takes], named: str | None) -> None:
        """Take one of these actions, and where they are for one thing its name. The help of an option says whose it is.

        Parameters:
          named: what the name is called.
        """
        self.actions = actions
        if "yes" in self._takers():
            self.add_argument("--yes", action="store_true", help="do not ask")
        self.add_argument("action", nargs="?", default="list", choices=actions)
        if named is not None:
            self.add_argument("name", metavar=named, nargs="?")
        for option in self._actions:
            if takers := self._takers().get(option.dest):
                option.help = ": ".join(filter(None, (", ".join(takers), option.help)))

    def _takers(self) -> dict[str, list[str]]:
        """For each option that not every action takes, those that do."""
        options = {option for action in self.actions.values() for option in action.options}
        return {
            option: [name for name, action in self.actions.items() if option in action.options]
            for option in sorted(options)
        }

    def _ignored(self, arguments: argparse.Namespace) -> str | None:
        """Say what the action of a command line would ignore, or what it lacks; None: nothing."""
        takers, wrong = self._takers(), []
        for option in self._actions:
            label, named = "/".join(option.option_strings) or str(option.metavar), self.actions[arguments.action].named
            is_said = getattr(arguments, option.dest, option.default) != option.default
            of = takers.get(option.dest, [])
            if option.dest == "name":
                if named and not is_said:
                    return f"{arguments.action} needs {label}; `{self.prog}` lists them"
                of = [name for name, action in self.actions.items() if action.named is not False]
            if is_said and of and arguments.action not in of:
                wrong.append(f"no {label}, which is for {', '.join(of)}")
        return f"{arguments.action} takes {'; '.join(wrong)}" if wrong else None

    def _takes(self, arguments: argparse.Namespace, rest: Sequence[str]) -> bool:
        """Give words that come behind an option to the positional they are of, as in `tm kbs get -o json handbook`.

        argparse has then given it what stood before the option, or nothing.
        """
        last = [action for action in self._actions if not action.option_strings][-1:]
        if not last or last[0].choices or any(word.startswith("-") and word != "-" for word in rest):
            return False
        name, said = last[0].dest, getattr(arguments, last[0].dest)
        if last[0].nargs in ("*", "+"):
            setattr(arguments, name, [*said, *rest])
        elif last[0].nargs == "?" and said is None and len(rest) == 1:
            setattr(arguments, name, rest[0])
        else:
            return False
        return True


def _sorted(args: Sequence[str] | None) -> Sequence[str] | None:
    """Bind what follows `--sort` to it, since argparse would take `-size` for an option."""
    if args is None or "--sort" not in args[:-1]:
        return args
    at = args.index("--sort")
    return [*args[:at], f"--sort={args[at + 1]}", *args[at + 2 :]]


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    whole = Parser(prog="tm", description="Submit documents, follow their tasks, search, and run the service.")
    whole.epilog = EPILOG
    verbs = whole.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs")

    def verb(name: str, help: str) -> Parser:
        added: Parser = verbs.add_parser(name, help=help, description=help)
        return added

    _submit(verb("submit", "Submit files, folders, URLs or standard input as documents"))
    _search(verb("search", "Show the passages of a KB that fit a query best"))
    _one(verb("get", "Show a task or a batch"), "ID", "of a task or batch")
    _filters(_shown(verb("list", "List tasks, newest first"), many=True))
    watch = _shown(verb("watch", "Show what happens to a task or batch up to its end, or to everything"))
    watch.add_argument("id", metavar="ID", nargs="?", help="of a task or batch; none: everything, until Ctrl-C")
    _one(verb("why", "Say why a task does not run, since when, and what it waits for"), "ID", "of a task")
    for name, help in (
        ("cancel", "Cancel tasks, or all of a filter"),
        ("retry", "Retry tasks that failed or were cancelled, or all of a filter"),
    ):
        _bulk(verb(name, help))
    _one(verb("undo", "Undo a bulk, such as a cancel or a retry of all of a filter"), "ID", "of the bulk's task")
    _batches(_shown(verb("batches", "List batches; show, cancel or retry one, or all of a filter"), many=True))
    _kbs(_shown(verb("kbs", "List the KBs; show, change or delete one"), many=True))
    _documents(_shown(verb("documents", "List the documents of a KB; show, read, change or delete them"), many=True))
    queues = _shown(verb("queues", "Show the queues; pause or resume one in the whole deployment"))
    queues.add_argument("--reason", help="why it is paused, for whoever looks")
    queues.of_actions(ACTIONS["queues"], "NAME")
    _schedules(_shown(verb("schedules", "List schedules; make, show, change, run or delete one"), many=True))
    _workers(_shown(verb("workers", "Show what the workers do; with --max, run as many here as are wanted")))
    _callbacks(_shown(verb("callbacks", "List callbacks, or deliver them again"), many=True))
    audit = _shown(verb("audit", "Show who did what, newest first"), many=True)
    for name in ("action", "name", "kb-id", "since"):
        audit.add_argument(f"--{name}", metavar=name.rpartition("-")[2].upper())
    _shown(verb("doctor", "Look for what is wrong, and say what to do about it"))
    opened = _shown(verb("open", "Open the dashboard in a browser"))
    opened.add_argument("id", metavar="ID", nargs="?", help="of a task")
    completion = verb("completion", 'Print what completes this command: eval "$(tm completion bash)"')
    completion.add_argument("shell", choices=("bash", "zsh", "fish"))
    return whole


def _submit(parser: Parser) -> None:
    add = _shown(parser).add_argument
    add("sources", metavar="FILE|DIR|URL|-", nargs="+", help="a document's id is its name, or its path below DIR")
    add("--kb", required=True, help="the knowledge base")
    add("-r", "--recursive", action="store_true", help="take what is in folders; what begins with a dot is left out")
    add("--wait", action="store_true", help="follow the tasks to their end, those of archives' members as well")
    add("--timeout", type=float, metavar="SECONDS", help="wait so long at most; implies --wait")
    add("--document-id", metavar="ID", help="for a single document, in place of its name")
    add("--filename", metavar="NAME", help="what standard input is called; its format may depend on it")
    add("--header", action="append", default=[], metavar="NAME: VALUE", help=HEADER)
    _metadata(parser, "what the document carries")
    add("--priority", choices=PRIORITIES, help="whose turn comes first")
    add("--encoding", metavar="NAME", help="of texts; found out when not given")
    _chunking(parser)
    add("--embedder", metavar="NAME", help="default: that of the KB")
    add("--retry-limit", type=int, metavar="N")
    add("--run-at", metavar="TIME", help="not before; such as 2026-12-01T08:00:00Z")
    add("--callback-url", metavar="URL")
    add("--force", action="store_true", help="process what is unchanged as well")


def _search(parser: Parser) -> None:
    parser.epilog = (
        "-o json is the whole answer, with confidence and degraded; -o jsonl its hits. --fields are a hit's."
    )
    add = _shown(parser).add_argument
    add("query", help="words or a question, in any language")
    add("--kb", required=True, action="append", help="the knowledge base; several where it is repeated")
    add("--limit", type=int, default=5, metavar="N", help="how many passages (5)")
    add("--mode", choices=("hybrid", "vector", "text"), help="by words and vectors, or by one of them")
    add("--min-score", type=float, metavar="SCORE", help="leave out what scores less, from 0 to 1")
    add("--document", action="append", metavar="ID", help="in this document alone; may be repeated")
    _metadata(parser, "in documents that carry this alone; of a name that is repeated any value will do")
    add("--per-document", type=int, metavar="N", help="how many passages of one document at most")
    add("--around", type=int, metavar="N", help="show so many chunks before and after each passage")
    add("--join", action="store_true", help="make one passage of chunks that follow each other")
    add("--rerank", action="store_true", help="have the service's rerank model order the best")


def _bulk(parser: Parser) -> None:
    add = _shown(parser).add_argument
    add("ids", metavar="ID", nargs="*", help="of tasks")
    _many(parser)
    add("--yes", action="store_true", help="do not ask")
    _filters(parser)


def _many(parser: Parser) -> None:
    parser.add_argument("--all", action="store_true", help="where no filter is named: really all")
    parser.add_argument("--dry-run", action="store_true", help="say how many there are, and change nothing")


def _batches(parser: Parser) -> None:
    add = parser.add_argument
    add("--status", choices=("processing", "completed"), help="completed: all their tasks have ended")
    add("--task-status", choices=STATUSES, help="of one of their tasks at least")
    add("--kb-id", "--kb", metavar="KB", help="of all their tasks")
    for name in TIMES[:2]:
        add(f"--{name}", metavar="TIME")
    _many(parser)
    parser.of_actions(ACTIONS["batches"], "ID")


def _kbs(parser: Parser) -> None:
    _chunking(parser)
    add = parser.add_argument
    add("--embedder", metavar="NAME", help="what an empty KB begins with")
    add("--callback-url", metavar="URL", help="for tasks that name none")
    add(
        "--callback-secret",
        metavar="SECRET",
        help="whsec_…, one or two; @FILE reads it, so that no process list has it",
    )
    add("--synonyms", action="append", metavar="A,B", help="terms that mean the same; each is a group, in place of all")
    add("--weight", type=int, metavar="N", help="how many turns its tasks get where those of another KB get one")
    explanation = "take a setting back, by its name in REST, such as chunk_size; may be repeated"
    add("--unset", action="append", choices=KB_SETTINGS, metavar="NAME", help=explanation)
    parser.of_actions(ACTIONS["kbs"], "KB")


def _documents(parser: Parser) -> None:
    add = parser.add_argument
    add("--kb", required=True, help="the knowledge base")
    add("--prefix", metavar="TEXT", help="those whose id begins so")
    _metadata(parser, "those that carry this; of change: in place of what the document carries")
    add("--format", metavar="NAME", help="those of a format, such as pdf")
    add(
        "--state",
        choices=("current", "pending", "failed"),
        help="what is newer is pending, has failed, or is not there",
    )
    add("--updated-after", metavar="TIME", help="those that have changed since")
    add("--sort", choices=SORTS, help="in this order; - from the last to the first")
    add("--to", metavar="FILE", help="where it is written; default: standard output")
    _many(parser)
    parser.of_actions(ACTIONS["documents"], "ID")


def _schedules(parser: Parser) -> None:
    add = parser.add_argument
    add("--kb-id", "--kb", metavar="KB", help="those of this KB")
    add("--cron", metavar="'M H D M W'", help="when it is due, in five fields")
    add("--task", metavar="JSON", help="what it submits, as POST /tasks takes it; @FILE reads it")
    add("--name", dest="called", metavar="NAME", help="what it is called")
    add("--timezone", metavar="ZONE", help="such as Europe/Berlin; default: UTC")
    add("--catch-up", choices=("one", "all"), help="what becomes of due times that nobody met")
    parser.of_actions(ACTIONS["schedules"], "ID")


def _workers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--max", type=int, help="run workers here, so many at most, until Ctrl-C or SIGTERM")
    parser.add_argument("--min", type=int, help="run so many at least (default 1)")
    parser.add_argument("--target", type=float, metavar="S", help="what waits shall be done in S seconds (60)")
    parser.add_argument("--calm", type=float, metavar="S", help="one fewer after S seconds of too many (60)")
    parser.add_argument(
        "command", metavar="COMMAND", nargs=argparse.REMAINDER, help="what starts one (default sh deploy/worker.sh)"
    )


def _callbacks(parser: Parser) -> None:
    parser.add_argument("--state", choices=("owed", "delivered", "failed"))
    for name in ("kb-id", "task-id", "batch-id", "host", "created-after", "created-before"):
        parser.add_argument(f"--{name}", metavar=name.rpartition("-")[2].upper())
    parser.add_argument("--dry-run", action="store_true", help="say how many there are, and change nothing")
    parser.of_actions(ACTIONS["callbacks"], None)


def _chunking(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--chunk-size", type=int, metavar="N", help="the most that a chunk holds")
    add("--chunk-overlap", type=int, metavar="N", help="what neighbours may share")
    add("--chunk-unit", choices=("characters", "tokens"), help="what both are counted in")


def _metadata(parser: argparse.ArgumentParser, help: str) -> None:
    explanation = f"{help}; may be repeated; or a JSON object"
    parser.add_argument("--metadata", action="append", default=[], metavar="NAME=VALUE", help=explanation)


def _filters(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--kb-id", "--kb", metavar="KB")
    add("--status", action="append", choices=STATUSES, help="may be repeated")
    for name in TEXTS:
        add(f"--{name}", metavar=name.rpartition("-")[2].upper())
    add("--priority", choices=PRIORITIES)
    for name in TIMES:
        add(f"--{name}", metavar="TIME")


def _count(value: str) -> int:
    """Return how many are wanted.

    Raises:
      argparse.ArgumentTypeError: no whole number, or one below 0.
    """
    try:
        count = int(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{value!r} is not a whole number") from None
    if count < 0:
        raise argparse.ArgumentTypeError(f"{value} is below 0; 0 means all")
    return count


def _one(parser: Parser, metavar: str, help: str) -> None:
    _shown(parser).add_argument("id", metavar=metavar, help=help)


def _shown(parser: Parser, *, many: bool = False) -> Parser:
    shapes = "table for people; json: what REST answers; jsonl: an object in each line"
    parser.add_argument("-o", "--output", choices=("table", "json", "jsonl"), default="table", help=shapes)
    parser.add_argument("--fields", metavar="A,B.C", help="show these fields alone, named as in REST")
    if many:
        # No default: what is not said is told from what is said and the same.
        parser.add_argument("--limit", type=_count, metavar="N", help="how many at most (50); 0: all")
    return parser
