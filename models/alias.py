"""Which version an alias names, asked without MLflow: in milliseconds, as often as one likes.

A tracking server is asked over its REST interface; a database, in the tables in which MLflow 3.17
keeps aliases and tags. Nothing that is told here is believed: it is a candidate, to be verified.
"""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Mapping
from functools import cache
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import SplitResult, quote, unquote, urlsplit
from urllib.request import (
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    Request,
    build_opener,
)

from sqlalchemy import bindparam, create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from models import registry
from models.registry import Version

WEB, DATABASES = ("http", "https"), ("sqlite", "postgresql", "mysql", "mssql")
SECONDS = 3.0
MOST_BYTES = 1024 * 1024
PATH = "/api/2.0/mlflow/registered-models/alias"
ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")  # of the model; of the alias
TAGS = text(
    "SELECT a.version, t.key, t.value FROM registered_model_aliases a "
    "LEFT JOIN model_version_tags t "
    "ON t.workspace = a.workspace AND t.name = a.name AND t.version = a.version "
    "WHERE a.workspace = :workspace AND a.name = :name AND a.alias = :alias"
).bindparams(bindparam("workspace"), bindparam("name"), bindparam("alias"))


def can_ask(uri: str) -> bool:
    """Return whether a registry can be asked so.

    >>> can_ask("https://mlflow.bank.example"), can_ask("sqlite:///f.db"), can_ask("databricks")
    (True, True, False)
    """
    return _scheme(uri) in WEB + DATABASES


def named(uri: str, name: str, alias: str, environ: Mapping[str, str]) -> Version | None:
    """Return the version that an alias names, with its tags; None if it names none.

    Args:
        uri: of a registry that `can_ask`.
        name: of the registered model.
        alias: of the version.
        environ: has MLflow's own variables for who asks: user and password, or a token; the
            workspace; and what to trust of a server's certificate.

    Raises:
        InputError: the registry does not answer, or refuses.
    """
    workspace = environ.get("MLFLOW_WORKSPACE") or "default"
    try:
        if _scheme(uri) in WEB:
            return _of_server(uri, name, alias, environ)
        return _of_database(uri, name, alias, workspace)
    except (OSError, HTTPException, SQLAlchemyError, ValueError) as error:
        raise registry.refused(uri, error) from None


def _of_server(uri: str, name: str, alias: str, environ: Mapping[str, str]) -> Version | None:
    there = urlsplit(uri)
    host = there.netloc.rpartition("@")[2]
    url = f"{there.scheme}://{host}{there.path.rstrip('/')}{PATH}"
    asked = f"{url}?name={quote(name)}&alias={quote(alias)}"
    insecure = environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1")
    opener = _opener(environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH"), insecure)
    try:
        with opener.open(
            Request(asked, headers=_headers(there, environ)), timeout=SECONDS
        ) as reply:
            said = json.loads(reply.read(MOST_BYTES))
    except HTTPError as error:
        with error:
            if error.code in (400, 404) and _code(error.read(MOST_BYTES)) in ABSENT:
                return None
        raise ValueError(f"it answered {error.code}") from None
    try:
        one = said["model_version"]
        tags = {str(tag["key"]): str(tag.get("value", "")) for tag in one.get("tags", [])}
        return Version(name, str(one["version"]), str(one.get("run_id", "")), tags)
    except (KeyError, TypeError, AttributeError):
        raise ValueError("it is no MLflow registry") from None


def _headers(there: SplitResult, environ: Mapping[str, str]) -> dict[str, str]:
    """Return who asks, by the URL or by MLflow's variables."""
    user = unquote(there.username or "") or environ.get("MLFLOW_TRACKING_USERNAME", "")
    password = unquote(there.password or "") or environ.get("MLFLOW_TRACKING_PASSWORD", "")
    headers = {}
    if user:
        basic = base64.b64encode(f"{user}:{password}".encode()).decode()
        headers["Authorization"] = f"Basic {basic}"
    elif token := environ.get("MLFLOW_TRACKING_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    if workspace := environ.get("MLFLOW_WORKSPACE"):
        headers["X-MLFLOW-WORKSPACE"] = workspace
    return headers


class _Still(HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Go nowhere else: the credential is for this server."""


@cache
def _opener(certificates: str | None, insecure: bool) -> OpenerDirector:
    """Return what opens addresses; to read all certificates of the machine takes its time."""
    trust = ssl.create_default_context(cafile=certificates)
    if insecure:
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    return build_opener(HTTPSHandler(context=trust), _Still)


def _code(body: bytes) -> str:
    try:
        return str(json.loads(body)["error_code"])
    except (ValueError, KeyError, TypeError):
        return ""


def _of_database(uri: str, name: str, alias: str, workspace: str) -> Version | None:
    engine = create_engine(_read_only(make_url(uri)))
    try:
        with engine.connect() as connection:
            asked = {"workspace": workspace, "name": name, "alias": alias}
            rows = connection.execute(TAGS, asked).all()
    finally:
        engine.dispose()
    if not rows:
        return None
    return Version(name, str(rows[0].version), "", {row.key: row.value or "" for row in rows})


def _read_only(url: URL) -> URL:
    """Return a URL that makes no file where the database is gone."""
    if not url.drivername.startswith("sqlite") or not url.database:
        return url
    return url.set(database=f"file:{quote(url.database)}", query={"mode": "ro", "uri": "true"})


def _scheme(uri: str) -> str:
    try:
        return make_url(uri).drivername.partition("+")[0] if "://" in uri else ""
    except ArgumentError:
        return ""
