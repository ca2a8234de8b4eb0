#!/usr/bin/env bash
# From nothing to three explained quotes over HTTP, in the open: every command it runs, it prints.
#   PORT=3000       where to serve; the next free one is taken if it is busy
#   ONCE=1          stop the server at the end
#   PROJECTS=60000  how many simulated projects to learn from
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PY=${PY:-.venv/bin/python} PORT=${PORT:-3000} PROJECTS=${PROJECTS:-60000}
export SEEDRATE_VAR=var
# the demo stays in var/, whatever else is configured
unset SEEDRATE_TRACKING_URI SEEDRATE_POLICY SEEDRATE_GATES SEEDRATE_SIGNING_KEY SEEDRATE_TRUSTED_KEYS
unset SEEDRATE_ACCESS SEEDRATE_PEPPER SEEDRATE_KEY
log=var/server.log server=
mkdir -p var

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() { printf '\033[2m$ %s\033[0m\n' "$*"; }
run() { show "$(printf ' %q' "$@" | cut -c2-)"; "$@"; }

finish() {
    trap - EXIT INT TERM
    if [ -n "$server" ]; then kill "$server" 2>/dev/null && wait "$server" 2>/dev/null || true; fi
}
trap finish EXIT
trap 'echo; exit 130' INT TERM

free_port() { # the first of ten ports on which nobody listens
    "$PY" - "$1" <<'PYTHON'
import socket, sys
first = int(sys.argv[1])
for port in range(first, first + 10):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        sys.exit(print(port))
sys.exit(f"ports {first} to {first + 9} of 127.0.0.1 are all busy: name another, PORT=4000")
PYTHON
}

answers() {
    "$PY" -c 'import sys, urllib.request as u; u.urlopen(sys.argv[1], timeout=2)' "$1" 2>/dev/null
}

start_server() { # fails if somebody took the port in between
    local port
    port=$(free_port "$PORT") || exit 1
    [ "$port" = "$PORT" ] || echo "Port $PORT is busy; taking $port."
    url=http://127.0.0.1:$port
    show "$PY -m serving start --port $port &"
    "$PY" -m serving start --port "$port" >"$log" 2>&1 &
    server=$!
    until answers "$url/readyz"; do
        if ! kill -0 "$server" 2>/dev/null; then
            server=
            grep -q 'Could not bind' "$log" && return 1
            tail -20 "$log"; echo "The server ended; see $log." >&2; exit 1
        fi
        sleep 0.5
    done
}

say "1/4  Learn from $PROJECTS simulated projects (about two minutes)"
run "$PY" -m training fit --projects "$PROJECTS" --depth 3

say "2/4  Let the new version serve, if it passes its gates, and sign that"
run "$PY" -m training promote --reason "first quotes"

say "3/4  Serve it (log: $log)"
start_server || start_server || start_server || exit 1

say "4/4  Ask for three quotes, with a key: a good project, a poor one, one with missing sources"
[ -s var/keys/caller.key ] || run "$PY" -m serving keys create --client demo --keep
run "$PY" -m serving ask "$url" examples/good.json examples/poor.json examples/missing_sources.json

# a key of its own for a person: what a system may do, and what a person may see, are two things
[ -s var/keys/console.key ] || (
    umask 077
    "$PY" -m serving keys create --client analyst --scopes console:read,explain >var/keys/console.key
)

if [ "${ONCE:-}" = 1 ]; then say "Done: the server is stopped, the model is in var/."; exit; fi
say "Serving on $url until you press Ctrl-C. Open the console in a browser:"
cat <<TEXT
  $url/console    the three quotes: what each price is made of, why, its proof, and what would change it
  Sign in with the key in var/keys/console.key:  $(cat var/keys/console.key)
TEXT
say "In another terminal:"
cat <<TEXT
  KEY="Authorization: Bearer \$(cat var/keys/caller.key)"
  curl -s $url/v1/quotes -H "\$KEY" -H 'Idempotency-Key: mine' -H 'Content-Type: application/json' -d @examples/good.json
  curl -s $url/v1/columns -H "\$KEY"        what a project is described by
  curl -s $url/openapi.json -H "\$KEY"      the interface, for your own client
  ${PY%python}mlflow ui --backend-store-uri sqlite:///var/mlflow.db --port 5000    runs, curves, versions
TEXT
wait "$server"
