"""What gRPC touches: calls of `taskmanager.v1`, each answered as the route that does the same."""
