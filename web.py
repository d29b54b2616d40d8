"""The web process: what gunicorn, or any other ASGI server, is given as `web:app`."""

from __future__ import annotations

import logs
import tracing
from api.app import create_app
from api.bulkheads.pools import CONNECTIONS, LIMITS, REPLICA_CONNECTIONS
from api.front import Unread
from broker.rabbitmq import RabbitBroker
from dashboard.routes import pages
from models import database, replica
from settings import service_settings
from tasks import process
from tasks.transactions import unit

_settings = service_settings()
logs.configure(_settings)
tracing.configure(_settings, "web")
# Half of the connections are kept, the others opened for a moment.
database.connect(
    _settings.postgres_url,
    pool_size=-(-CONNECTIONS // 2),
    application_name="task-manager web",
    limits=LIMITS,
)
replica.connect(
    _settings.postgres_read_url, pool_size=REPLICA_CONNECTIONS, application_name="task-manager web", limits=LIMITS
)
_broker = RabbitBroker(_settings.rabbitmq_urls, _settings.queue_type, kind="web", prefix=_settings.queue_prefix)
_broker.publisher.start()
unit.use_broker(_broker)
app = Unread(create_app(_settings, pages()))
process.freeze()
