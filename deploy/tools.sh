#!/usr/bin/env bash
# See to it that deploy/ can be checked: nginx, and validators in var/tools. Tests skip what is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tools=var/tools
if ! command -v nginx >/dev/null || ! command -v envsubst >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing Debian's packages nginx-light and gettext-base, for the tests of the proxy."
        apt-get update -qq || true
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            nginx-light gettext-base >/dev/null || true
        service nginx stop >/dev/null 2>&1 || true # the tests run their own
    fi
fi
command -v nginx >/dev/null || echo "No nginx was found: apt-get install nginx-light gettext-base" >&2
if ! cmp -s deploy/tools.txt "$tools/installed.txt"; then
    echo "Installing validators and a generator of clients into $tools."
    "${PY:-.venv/bin/python}" -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check --no-input --requirement deploy/tools.txt
    cp deploy/tools.txt "$tools/installed.txt"
fi
