"""Each request that the service understands, as a function that returns it as data."""
