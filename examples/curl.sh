#!/usr/bin/env bash
# A quote, its retry, its proof, with curl alone: examples/curl.sh URL [REQUEST.json]
# KEY is the API key; without it var/keys/caller.key is read. It is passed by a file, never in a command line.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
url=${1:-http://127.0.0.1:3000} request=${2:-$here/good.json}
scratch=$(mktemp -d) && trap 'rm -rf "$scratch"' EXIT
(umask 077 && printf 'header = "Authorization: Bearer %s"\n' "${KEY:-$(cat var/keys/caller.key)}" >"$scratch/key")

# --fail-with-body: a refusal is shown, and ends the script. --retry repeats what may pass, under the same key.
ask() { curl --silent --show-error --fail-with-body --max-time 15 --retry 5 --retry-connrefused --config "$scratch/key" "$@"; }

# 1. Name the request once, and keep the name until there is an answer.
name=${NAME:-$(cat /proc/sys/kernel/random/uuid)}

# 2. Ask. Sent again under the same name, the same bytes come back: there is one price a name.
price() { ask "$url/v1/quotes" -H "Idempotency-Key: $name" -H 'Content-Type: application/json' --data-binary "@$request"; }
price >"$scratch/reply.json"
price >"$scratch/again.json"
cmp "$scratch/reply.json" "$scratch/again.json"

# 3. After a time-out: was it recorded? (200 with the quote, or 404)
ask "$url/v1/keys/$name" >"$scratch/found.json"
cmp "$scratch/reply.json" "$scratch/found.json"

# 4. What a change is worth: the same, not recorded.
ask "$url/v1/what-if" -H 'Content-Type: application/json' --data-binary "@$request" >"$scratch/what-if.json"

# 5. Keep the proof beside the reply: deploy/verify_receipt.py checks it anywhere.
id=$(sed -E 's/.*"quote_id":"([^"]+)".*/\1/' "$scratch/reply.json")
ask "$url/v1/quotes/$id/receipt" >"$scratch/receipt.json"

if [ -n "${KEEP:-}" ]; then mkdir -p "$KEEP" && cp "$scratch/reply.json" "$scratch/receipt.json" "$KEEP"; fi
cat "$scratch/reply.json"
