#!/usr/bin/env bash
# See to it that a PostgreSQL server can be started by the tests: they make a cluster of their own.
set -euo pipefail
found() { command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }
if found; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Debian's package postgresql, for the tests of the ledger."
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql >/dev/null && found && exit 0
fi
echo "No PostgreSQL server was found (initdb), so the ledger's tests on it are skipped. Install it:" >&2
echo "    sudo apt-get install postgresql" >&2
exit 1
