"""How gunicorn serves the web process. Read from the environment only, as everything is."""

import json
import logging
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from gunicorn.glogging import Logger


def _setting(name: str, default: str) -> str:
    """An empty variable counts as unset, as in `settings`."""
    return os.environ.get(name, "").strip() or default


class _Line(logging.Formatter):
    """One JSON object for each line, with the names that the application's own lines have."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "event": record.getMessage(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class _StdoutLogger(Logger):  # type: ignore[misc]
    """gunicorn's logger, on standard output: its own choice is between standard error and a file."""

    def setup(self, cfg: object) -> None:
        super().setup(cfg)
        for handler in self.error_log.handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.setStream(sys.stdout)
                if _setting("LOG_FORMAT", "console" if sys.stdout.isatty() else "json") == "json":
                    handler.setFormatter(_Line())


bind = f"0.0.0.0:{_setting('PORT', '8084')}"
worker_class = "asgi"
workers = int(_setting("WEB_CONCURRENCY", "1"))

# Seconds. The application ends its open requests on SIGTERM by itself; this is what a stuck one gets.
graceful_timeout = int(float(_setting("SHUTDOWN_TIMEOUT", "25")))
# A worker whose event loop stood still this long is replaced.
timeout = 60
# Longer than the idle time of a router in front, so that a kept connection is never closed under a request.
keepalive = 75

# Who may say with X-Forwarded-* where a request came from. A PaaS has only its router in front: "*" there.
forwarded_allow_ips = _setting("FORWARDED_ALLOW_IPS", "127.0.0.1,::1")

# No file outside of the repository: a heartbeat in memory, and no control socket in the home folder.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None
control_socket_disable = True

logger_class = _StdoutLogger
loglevel = _setting("LOG_LEVEL", "info").lower()
# Requests are logged by the application, with their ids.
accesslog = None
