"""The verbs of `tm` and their options; filters are named as in REST."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

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


def _laid_out(prog: str) -> argparse.HelpFormatter:
    return argparse.RawDescriptionHelpFormatter(prog, max_help_position=26, width=110)


class Parser(argparse.ArgumentParser):
    """A parser that shows a help that keeps its lines, and takes no abbreviations."""

    def __init__(self, **options: object) -> None:
        super().__init__(
            formatter_class=_laid_out,
            allow_abbrev=False,
            **options,  # type: ignore[arg-type]
        )

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, and refuse what is left here: by itself argparse would show how `tm` is used, and not the verb."""
        found, rest = super().parse_known_args(_sorted(args), namespace)
        if rest and not self._takes(found, rest):
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return found, []

    def _takes(self, found: argparse.Namespace, rest: Sequence[str]) -> bool:
        """Give words that come behind an option to the positional they are of, as in `tm kbs get -o json handbook`.

        argparse has then given it what stood before the option, or nothing.
        """
        last = [action for action in self._actions if not action.option_strings][-1:]
        if not last or last[0].choices or any(word.startswith("-") and word != "-" for word in rest):
            return False
        name, said = last[0].dest, getattr(found, last[0].dest)
        if last[0].nargs in ("*", "+"):
            setattr(found, name, [*said, *rest])
        elif last[0].nargs == "?" and said is None and len(rest) == 1:
            setattr(found, name, rest[0])
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

    def verb(name: str, help: str) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = verbs.add_parser(name, help=help, description=help)
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
    _kbs(_shown(verb("kbs", "List the KBs; show, change or delete one"), many=True))
    _documents(_shown(verb("documents", "List the documents of a KB; show, read, change or delete them"), many=True))
    queues = _shown(verb("queues", "Show the queues; pause or resume one in the whole deployment"))
    _action(queues, ("list", "pause", "resume"), "NAME")
    queues.add_argument("--reason", help="why it is paused, for whoever looks")
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


def _submit(parser: argparse.ArgumentParser) -> None:
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


def _search(parser: argparse.ArgumentParser) -> None:
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


def _bulk(parser: argparse.ArgumentParser) -> None:
    add = _shown(parser).add_argument
    add("ids", metavar="ID", nargs="*", help="of tasks")
    add("--all", action="store_true", help="where no filter is named: really all")
    add("--dry-run", action="store_true", help="say how many there are, and change nothing")
    add("--yes", action="store_true", help="do not ask")
    _filters(parser)


def _kbs(parser: argparse.ArgumentParser) -> None:
    _action(parser, ("list", "get", "set", "delete"), "KB")
    settings = parser.add_argument_group("set: what documents and tasks of the KB inherit")
    _chunking(settings)
    add = settings.add_argument
    add("--embedder", metavar="NAME", help="what an empty KB begins with")
    add("--callback-url", metavar="URL", help="for tasks that name none")
    add(
        "--callback-secret",
        metavar="SECRET",
        help="whsec_…, one or two; @FILE reads it, so that no process list has it",
    )
    add("--synonyms", action="append", metavar="A,B", help="terms that mean the same; each is a group, in place of all")
    add("--weight", type=int, metavar="N", help="how many turns its tasks get where those of another KB get one")
    told = "take a setting back, by its name in REST, such as chunk_size; may be repeated"
    add("--unset", action="append", choices=KB_SETTINGS, metavar="NAME", help=told)


def _documents(parser: argparse.ArgumentParser) -> None:
    _action(parser, ("list", "get", "text", "original", "chunks", "change", "delete"), "ID")
    add = parser.add_argument
    add("--kb", required=True, help="the knowledge base")
    add("--prefix", metavar="TEXT", help="list, delete: those whose id begins so")
    _metadata(parser, "list, delete: those that carry this; change: in place of what the document carries")
    add("--format", metavar="NAME", help="list, delete: those of a format, such as pdf")
    add(
        "--state",
        choices=("current", "pending", "failed"),
        help="list, delete: what is newer is pending, has failed, or is not there",
    )
    add("--updated-after", metavar="TIME", help="list, delete: those that have changed since")
    add("--sort", choices=SORTS, help="list: in this order; - from the last to the first")
    add("--to", metavar="FILE", help="original: where it is written; default: standard output")
    add("--all", action="store_true", help="delete: where no filter is named, really all")
    add("--dry-run", action="store_true", help="delete: say how many there are, and change nothing")


def _schedules(parser: argparse.ArgumentParser) -> None:
    _action(parser, ("list", "get", "create", "change", "pause", "resume", "run", "delete"), "ID")
    add = parser.add_argument
    add("--kb-id", "--kb", metavar="KB", help="list: those of this KB")
    add("--cron", metavar="'M H D M W'", help="create, change: when it is due, in five fields")
    add("--task", metavar="JSON", help="create, change: what it submits, as POST /tasks takes it; @FILE reads it")
    add("--name", dest="called", metavar="NAME", help="create, change: what it is called")
    add("--timezone", metavar="ZONE", help="create, change: such as Europe/Berlin; default: UTC")
    add("--catch-up", choices=("one", "all"), help="create, change: what becomes of due times that nobody met")


def _workers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--max", type=int, help="run workers here, so many at most, until Ctrl-C or SIGTERM")
    parser.add_argument("--min", type=int, default=1, help="run so many at least (default 1)")
    parser.add_argument("--target", type=float, default=60.0, metavar="S", help="what waits shall be done in S seconds")
    parser.add_argument("--calm", type=float, default=60.0, metavar="S", help="one fewer after S seconds of too many")
    parser.add_argument(
        "command", metavar="COMMAND", nargs=argparse.REMAINDER, help="what starts one (default sh deploy/worker.sh)"
    )


def _callbacks(parser: argparse.ArgumentParser) -> None:
    _action(parser, ("list", "redeliver"), None)
    parser.add_argument("--state", choices=("owed", "delivered", "failed"))
    for name in ("kb-id", "task-id", "batch-id", "host", "created-after", "created-before"):
        parser.add_argument(f"--{name}", metavar=name.rpartition("-")[2].upper())
    parser.add_argument("--dry-run", action="store_true", help="say how many there are, and change nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def _chunking(parser: argparse._ActionsContainer) -> None:
    add = parser.add_argument
    add("--chunk-size", type=int, metavar="N", help="the most that a chunk holds")
    add("--chunk-overlap", type=int, metavar="N", help="what neighbours may share")
    add("--chunk-unit", choices=("characters", "tokens"))


def _metadata(parser: argparse.ArgumentParser, help: str) -> None:
    told = f"{help}; may be repeated; or a JSON object"
    parser.add_argument("--metadata", action="append", default=[], metavar="NAME=VALUE", help=told)


def _filters(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--kb-id", "--kb", metavar="KB")
    add("--status", action="append", choices=STATUSES, help="may be repeated")
    for name in TEXTS:
        add(f"--{name}", metavar=name.rpartition("-")[2].upper())
    add("--priority", choices=PRIORITIES)
    for name in TIMES:
        add(f"--{name}", metavar="TIME")


def _action(parser: argparse.ArgumentParser, actions: Sequence[str], named: str | None) -> None:
    parser.add_argument("action", nargs="?", default="list", choices=actions)
    if named is not None:
        parser.add_argument("name", metavar=named, nargs="?")
    if "delete" in actions:
        parser.add_argument("--yes", action="store_true", help="delete without being asked")


def _count(given: str) -> int:
    """Return how many are wanted.

    Raises:
      argparse.ArgumentTypeError: no whole number, or one below 0.
    """
    try:
        count = int(given)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{given!r} is not a whole number") from None
    if count < 0:
        raise argparse.ArgumentTypeError(f"{given} is below 0; 0 means all")
    return count


def _one(parser: argparse.ArgumentParser, metavar: str, help: str) -> None:
    _shown(parser).add_argument("id", metavar=metavar, help=help)


def _shown(parser: argparse.ArgumentParser, *, many: bool = False) -> argparse.ArgumentParser:
    shapes = "table for people; json: what REST answers; jsonl: an object in each line"
    parser.add_argument("-o", "--output", choices=("table", "json", "jsonl"), default="table", help=shapes)
    parser.add_argument("--fields", metavar="A,B.C", help="show these fields alone, named as in REST")
    if many:
        parser.add_argument("--limit", type=_count, default=50, metavar="N", help="how many at most (50); 0: all")
    return parser
