#!/usr/bin/env bash
# See to it that the alert rules can be checked by the tests: Debian's package prometheus brings promtool.
set -euo pipefail
found() { command -v promtool >/dev/null && command -v prometheus >/dev/null; }
if found; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Debian's package prometheus, for the tests of the alert rules."
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends prometheus >/dev/null
    if command -v systemctl >/dev/null; then systemctl disable --now prometheus >/dev/null 2>&1 || true; fi
    if found; then exit 0; fi
fi
echo "No promtool was found, so the tests of the alert rules are skipped. Install it:" >&2
echo "    sudo apt-get install prometheus" >&2
exit 1
