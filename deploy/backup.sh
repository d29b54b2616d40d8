#!/bin/sh
# Writes what PostgreSQL holds at this moment into FOLDER, and keeps the newest KEEP files (7) there:
#
#     DATABASE_URL=postgresql://… sh deploy/backup.sh FOLDER
#
# Work goes on meanwhile. The programs of PostgreSQL must be on PATH, and not be older than the server. A password in
# DATABASE_URL is seen by whoever may list the processes of this machine: PGPASSWORD or ~/.pgpass hide it.
set -eu
umask 077

folder=${1:?the folder for backups is missing: sh deploy/backup.sh FOLDER}
url=postgresql://${DATABASE_URL#*://}
file=$folder/tasks-$(date -u +%Y%m%dT%H%M%SZ).dump

mkdir -p "$folder"
trap 'rm -f "$file.partial"' EXIT
pg_dump --format=custom --no-owner --no-privileges --file="$file.partial" --dbname="$url"
# One that cannot be read is none.
pg_restore --list "$file.partial" >/dev/null
mv "$file.partial" "$file"

# Their names rise with time.
ls -r "$folder"/tasks-*.dump | tail -n "+$((${KEEP:-7} + 1))" | while read -r old; do
    rm -f "$old"
done
echo "$file"
