"""The web process: what gunicorn, or any other ASGI server, is given as `api.asgi:app`."""

from __future__ import annotations

import logs
from api.app import create_app
from api.requests import THREADS
from broker.rabbitmq import RabbitBroker
from models import database
from settings import settings
from tasks import unit

logs.configure(settings())
if not settings().rabbitmq_urls:
    raise SystemExit(
        "task-manager: RABBITMQ_URL: is not set, and a web process of its own needs it. "
        "Example: RABBITMQ_URL=amqp://user:password@host:5672/%2F"
    )
database.connect(settings().postgres_url, pool_size=THREADS + 2, application_name="task-manager web")
_broker = RabbitBroker(settings().rabbitmq_urls, settings().queue_type)
_broker.publisher.start()
unit.use_broker(_broker)
app = create_app(settings())
