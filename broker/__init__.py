"""What RabbitMQ touches: the queues, the messages, and the two brokers that carry them. Knows ids, not tasks."""
