"""What gRPC touches: calls of `taskmanager.v1`, each answered as the route that does the same."""

import os

# Read when gRPC is loaded: else it prints a line for each process that is started beside it. None goes on as a fork.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
