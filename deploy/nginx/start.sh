#!/bin/sh
# Fill in the template's variables, and none of nginx's own; then become nginx.
set -eu
: "${SEEDRATE_HOST:?}" "${SEEDRATE_SERVERS:?}" "${TLS_FOLDER:?}" "${HTTPS_PORT:?}" "${HEALTH_PORT:?}" "${RUN_FOLDER:?}"
template=${1:?the template} conf=$RUN_FOLDER/nginx.conf
# shellcheck disable=SC2016  # the names themselves
envsubst '${SEEDRATE_HOST} ${SEEDRATE_SERVERS} ${TLS_FOLDER} ${HTTPS_PORT} ${HEALTH_PORT} ${RUN_FOLDER}' \
    <"$template" >"$conf"
exec nginx -c "$conf" -g 'daemon off;'
