#!/usr/bin/env bash
# See to it that the tests find Debian's Prometheus and Chromium; what is missing is named, and skipped.
set -euo pipefail
declare -A brings=([promtool]=prometheus [chromium]=chromium)
missing=()
for program in "${!brings[@]}"; do
    command -v "$program" >/dev/null || missing+=("${brings[$program]}")
done
if [ ${#missing[@]} = 0 ]; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Debian's packages for the tests of alert rules and pages: ${missing[*]}."
    apt-get update -qq || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "${missing[@]}" fonts-wqy-zenhei >/dev/null || true
    if command -v systemctl >/dev/null; then systemctl disable --now prometheus >/dev/null 2>&1 || true; fi
fi
for program in "${!brings[@]}"; do
    command -v "$program" >/dev/null ||
        echo "No $program was found, so its tests are skipped: sudo apt-get install ${brings[$program]}" >&2
done
