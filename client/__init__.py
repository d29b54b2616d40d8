"""The command `tm`: submits documents and searches them over REST. It imports nothing of the service."""
