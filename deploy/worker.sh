#!/bin/sh
# One worker process; `sh deploy/worker.sh --queues embedding` is one that serves that queue only. Dramatiq takes its
# prefetch from the environment, and by default pulls twice as many messages as it has threads: with the number of
# threads, an urgent message waits behind none that was merely pulled.
set -eu

threads=${WORKER_POOL_SIZE:-10}
seconds=${SHUTDOWN_TIMEOUT:-25}
export dramatiq_queue_prefetch="$threads"

# Dramatiq writes to standard error, and would wait 10 minutes (its argument is in milliseconds) for its threads: it
# gets .6 of the time, and what they still hold is handed back in the rest.
# One process for each dyno or container: when one dies, Dramatiq takes its siblings down with it.
exec dramatiq worker.boot:boot --processes 1 --threads "$threads" \
    --worker-shutdown-timeout "$((${seconds%%.*} * 600))" --skip-logging "$@" 2>&1
