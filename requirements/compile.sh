#!/bin/sh
# Compile requirements/*.in to *.txt. dev.in holds all the others but those of benchmarks, so it is solved first and
# the rest follow its versions. Which index is asked is the machine's own affair: its address is written nowhere.
# Usage: make requirements [UPGRADE=1]
set -eu
cd "$(dirname "$0")/.."
export CUSTOM_COMPILE_COMMAND="make requirements"

compile() {
    name=$1
    shift
    echo "requirements/$name.txt"
    .venv/bin/pip-compile --quiet --no-config --generate-hashes --strip-extras --allow-unsafe \
        --no-emit-options --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
        --pip-args '--only-binary :all:' --output-file "requirements/$name.txt" "$@" "requirements/$name.in"
}

compile dev "$@"
for name in base web rpc worker clock client model otel s3 embedded fuzz bench; do
    compile "$name" --constraint requirements/dev.txt "$@"
done
# These share nothing with the service.
compile bench-documents "$@"
compile ingest "$@"
compile contract "$@"
compile docs "$@"
compile snippets "$@"
