#!/usr/bin/env bash
# Make the virtual environment of the Makefile: environment.sh FOLDER LOCKFILE
# PYTHON names the interpreter; without it the first of the usual names that is new enough is taken.
set -euo pipefail
folder=$1 lock=$2 log="$1/install.log"

new_enough() { "$1" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    for name in ${PYTHON:-python3.11 python3.12 python3.13 python3}; do
        if new_enough "$name"; then echo "$name"; return; fi
    done
    echo "seedrate needs Python 3.11 or newer with its venv module, and found none." >&2
    echo "Install one (Debian, Ubuntu: apt-get install python3 python3-venv), or name it:" >&2
    echo "    make PYTHON=/path/to/python3.11 test" >&2
    exit 1
}

count=$(grep -c '==' "$lock")
if [ ! -x "$folder/bin/python" ]; then
    python=$(find_python)
    echo "Making $folder with $("$python" --version)."
    "$python" -m venv "$folder"
fi
echo "Installing $count packages into $folder: 2.4 GB, 2 to 6 minutes the first time (log: $log)."
begun=$SECONDS
"$folder/bin/python" -m pip install --disable-pip-version-check --no-input --progress-bar off \
    --requirement "$lock" 2>&1 | tee "$log" | awk -v count="$count" '
    /\(from -r / { n++ }
    n && n % 40 == 0 && n != told { told = n; print "    found " n " of " count; fflush() }
    /^Installing collected/ { print "    unpacking"; fflush() }
    /^ERROR/ { print; fflush() }' || { echo "The installation failed; see $log." >&2; exit 1; }
echo "Installed in $((SECONDS - begun)) s."
