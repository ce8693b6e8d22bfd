# Runs a private Postgres in a temporary folder until standard input is closed, however its writer ends, and removes the
# folder. Prints the folder, which contains the socket, as soon as Postgres accepts connections.
#
# Commits are durable, as the relay requires: fsync and full_page_writes are on.
set -eu

tmp=${TMPDIR:-/tmp}
prefix=tourismo-postgres-

# On Debian the server's programs are not in the PATH; the newest version sorts last.
for bin in /usr/lib/postgresql/*/bin; do
    [ -x "$bin/initdb" ] && PATH=$bin:$PATH
done
command -v initdb >/dev/null || { echo "Postgres is missing: run tests/setup.sh test" >&2; exit 1; }

# Kills the server of a folder as a crash would, and removes the folder.
remove() {
    pg_ctl --silent --pgdata "$1/data" --mode immediate stop >/dev/null 2>&1 || true
    rm -rf "$1"
}

# Removes what a killed keeper left: the name of a folder contains the keeper's process id.
for old in "$tmp/$prefix"*; do
    owner=${old#"$tmp/$prefix"}
    owner=${owner%%-*}
    [ ! -d "$old" ] || kill -0 "$owner" 2>/dev/null || remove "$old"
done

folder=$(mktemp -d "$tmp/$prefix$$-XXXXXX")
trap 'exit 1' HUP INT TERM
trap 'remove "$folder"' EXIT

# Most databases sort texts by the rules of a language. Statements that need the order of bytes must say so.
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
