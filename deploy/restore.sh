#!/bin/sh
# Brings back what a backup holds, into the empty database that DATABASE_URL names:
#
#     DATABASE_URL=postgresql://… sh deploy/restore.sh FILE
#
# Stop web, worker, clock and rpc before; start them afterwards with this DATABASE_URL. RabbitMQ stays as it is: what its
# messages are of is looked up, and whatever waits is woken anew. The backup comes back whole, or not at all.
set -eu

file=${1:?the backup is missing: sh deploy/restore.sh FILE}
url=postgresql://${DATABASE_URL#*://}

tables=$(psql --no-psqlrc --tuples-only --no-align --dbname="$url" \
    --command="SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
if [ "$tables" != 0 ]; then
    echo "The database is not empty: it has $tables tables. Make one with createdb, and name that." >&2
    exit 1
fi
# Who restores need not own the extension, so its comment is left out.
pg_restore --exit-on-error --single-transaction --no-owner --no-privileges --no-comments --dbname="$url" "$file"
after="$(dirname "$0")/restored.sql"
if ! psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname="$url" --file="$after"; then
    echo "All is back but for the numbers of events: run psql --file=$after before you start anything." >&2
    exit 1
fi
# ALTER DATABASE is no part of a backup, and only a superuser may set these.
quotes=$(psql --no-psqlrc --tuples-only --no-align --dbname="$url" \
    --command="SELECT current_setting('log_min_error_statement') || ' ' || current_setting('log_error_verbosity')")
if [ "$quotes" != "panic terse" ]; then
    echo "PostgreSQL's log will quote documents and headers of what fails in this database. As a superuser, set for it" >&2
    echo "log_min_error_statement = panic and log_error_verbosity = terse (ALTER DATABASE, see docs/running.md)." >&2
fi
