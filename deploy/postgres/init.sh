#!/bin/sh
# What the database's image runs once, on an empty volume: an owner and a database for each use.
# The servers' own role owns no table: deploy/roles.sql says what it may do.
set -eu
secret() { tr -d '\n' <"/run/secrets/$1"; }
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d postgres \
    -v ledger_owner="$(secret ledger_owner_password)" -v seedrate="$(secret seedrate_password)" \
    -v mlflow="$(secret mlflow_password)" <<'SQL'
CREATE ROLE ledger_owner LOGIN CREATEROLE PASSWORD :'ledger_owner';
CREATE ROLE seedrate LOGIN PASSWORD :'seedrate';
CREATE ROLE mlflow LOGIN PASSWORD :'mlflow';
CREATE DATABASE ledger OWNER ledger_owner;
CREATE DATABASE access OWNER seedrate;
CREATE DATABASE mlflow OWNER mlflow;
REVOKE ALL ON DATABASE ledger, access, mlflow FROM PUBLIC;
GRANT CONNECT ON DATABASE ledger TO seedrate;
SQL
