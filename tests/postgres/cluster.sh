# Runs a Postgres of its own in a temporary folder until standard input ends, by whatever death of whoever holds it, and
# leaves nothing behind. Prints the folder, where its socket is, as soon as it answers.
#
# It keeps what it commits, as the relay demands: fsync and full_page_writes are on.
set -eu

tmp=${TMPDIR:-/tmp}
prefix=tourismo-postgres-

# Debian keeps the server's programs out of the path; the newest version comes last.
for bin in /usr/lib/postgresql/*/bin; do
    [ -x "$bin/initdb" ] && PATH=$bin:$PATH
done
command -v initdb >/dev/null || { echo "Postgres is missing: run tests/setup.sh test" >&2; exit 1; }

# Stops the server in a folder as a crash would, and removes the folder.
remove() {
    pg_ctl --silent --pgdata "$1/data" --mode immediate stop >/dev/null 2>&1 || true
    rm -rf "$1"
}

# What was left by one that could not clean up: the name of a folder says which process was to do it.
for old in "$tmp/$prefix"*; do
    owner=${old#"$tmp/$prefix"}
    owner=${owner%%-*}
    [ ! -d "$old" ] || kill -0 "$owner" 2>/dev/null || remove "$old"
done

folder=$(mktemp -d "$tmp/$prefix$$-XXXXXX")
trap 'exit 1' HUP INT TERM
trap 'remove "$folder"' EXIT

# The texts of most databases are ordered by a language's rules: what relies on bytes must say so.
initdb --pgdata "$folder/data" --no-sync --auth trust --username postgres --encoding UTF8 --locale C.UTF-8 \
    --locale-provider icu --icu-locale en >"$folder/log"
cat >>"$folder/data/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$folder'
max_connections = 200
shared_buffers = 64MB
fsync = on
full_page_writes = on
CONF
pg_ctl --silent --pgdata "$folder/data" --log "$folder/log" --wait start >&2 || { cat "$folder/log" >&2; exit 1; }

echo "$folder"
exec >/dev/null
cat
