"""The processes of a deployment on this machine: PostgreSQL, MLflow, two servers, the proxy."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from models import keys, registry, statement
from serving.access.caller import SCOPES
from serving.access.store import KeyStore
from serving.settings import Settings
from tests.conftest import ROOT
from tests.deploy.certificates import Authority
from tests.serving import small_model
from tests.serving.conftest import START_SECONDS
from tests.serving.known_key import HOUR, sevens
from tests.serving.ledger.cluster import Cluster

HOST = "localhost"  # a name that this machine knows


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(command: list[str], environ: Mapping[str, str], log: Path) -> Iterator[None]:
    """Run a process, and all that it starts, for as long as the block lasts."""
    with log.open("ab") as file:
        running = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environ},
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        yield
    finally:
        end(running.pid, signal.SIGTERM)
        try:
            running.wait(20)
        except subprocess.TimeoutExpired:
            end(running.pid, signal.SIGKILL)
            running.wait(20)


def end(group: int, how: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, how)


def answers(url: str) -> None:
    """Wait until something answers 200."""
    until = time.monotonic() + 2 * START_SECONDS  # four processes start at once
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            if time.monotonic() > until:
                raise
        time.sleep(0.3)


@dataclass
class Deployment:
    """What the processes share, and where each is."""

    folder: Path
    cluster: Cluster
    mlflow: int = field(default_factory=free_port)
    servers: tuple[int, int] = field(default_factory=lambda: (free_port(), free_port()))
    proxy: int = field(default_factory=free_port)

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.mlflow}"

    def database(self, user: str, name: str, driver: str = "postgresql") -> str:
        return f"{driver}://{user}@/{name}?host={self.cluster.folder}"

    def prepare(self) -> None:
        """Make databases and roles, tables as their owner, keys, and the grants that ship."""
        with psycopg.connect(self.cluster.url(), autocommit=True) as connection:
            for sql in (
                "CREATE ROLE seedrate LOGIN",
                "CREATE DATABASE ledger",
                "CREATE DATABASE access OWNER seedrate",
                "CREATE DATABASE mlflow",
            ):
                connection.execute(sql)
        keys.create(self.folder / "ledger", "ledger")
        owner = {"SEEDRATE_VAR": str(self.folder / "owner")}
        owner["SEEDRATE_LEDGER"] = self.database("postgres", "ledger")
        command = [sys.executable, "-m", "serving", "ledger", "tables"]
        subprocess.run(command, cwd=ROOT, env={**os.environ, **owner}, check=True)
        with psycopg.connect(self.database("postgres", "ledger"), autocommit=True) as connection:
            connection.execute((ROOT / "deploy/roles.sql").read_bytes())
        settings = self.settings(0)
        store = KeyStore(settings.access.url, settings.access.pepper, time.time, sevens)
        store.create("bank", "tests", frozenset(SCOPES), int(time.time()) + HOUR)
        store.close()

    def environment(self, number: int) -> dict[str, str]:
        return {
            "SEEDRATE_VAR": str(self.folder / f"var-{number}"),
            "SEEDRATE_TRACKING_URI": self.uri,
            "SEEDRATE_TRUSTED_KEYS": str(self.folder / "keys" / keys.TRUSTED),
            "SEEDRATE_LEDGER": self.database("seedrate", "ledger"),
            "SEEDRATE_LEDGER_KEY": str(self.folder / "ledger" / keys.SIGNING),
            "SEEDRATE_LEDGER_ORIGIN": "ledger.bank.example/quotes",
            "SEEDRATE_ACCESS": self.database("seedrate", "access", "postgresql+psycopg"),
            "SEEDRATE_PEPPER": str(self.folder / "keys" / "pepper"),
            "SEEDRATE_HOSTS": f"127.0.0.1,{HOST}",
        }

    def settings(self, number: int) -> Settings:
        return Settings.read(self.environment(number))

    def promote(self, seed: int, turn: int) -> str:
        """Put a small model into the registry as the champion, signed; return its digest."""
        made = small_model.unsigned(self.folder / "models", seed=seed)
        path = self.folder / "keys" / keys.SIGNING
        key = keys.SigningKey.read(path) if path.exists() else keys.create(path.parent, "a test")
        with registry.client(self.uri) as client:
            if turn == 1:
                client.create_registered_model("seedrate")
            run = client.create_run("0")
            client.log_artifacts(run.info.run_id, str(made), "m/data/model")
            source = f"{run.info.artifact_uri}/m"
            version = client.create_model_version("seedrate", source, run.info.run_id)
            said = small_model.said(made.name, turn=turn, version=str(version.version))
            tags = {"digest": made.name, registry.signed_tag("champion"): statement.sign(said, key)}
            for name, value in tags.items():
                client.set_model_version_tag("seedrate", version.version, name, value)
            client.set_registered_model_alias("seedrate", "champion", version.version)
        return made.name

    def serve_mlflow(self) -> ExitStack:
        stack = ExitStack()
        command = [sys.executable, "-m", "mlflow", "server", "--port", str(self.mlflow)]
        command += ["--workers", "1", "--artifacts-destination", str(self.folder / "artifacts")]
        uri = self.database("postgres", "mlflow", "postgresql+psycopg")
        command += ["--backend-store-uri", uri]
        environ = {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
        environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
        stack.enter_context(process(command, environ, self.folder / "mlflow.log"))
        return stack

    def serve(self, number: int) -> ExitStack:
        """Start server 0 or 1; whoever closes the stack ends it."""
        stack = ExitStack()
        command = [sys.executable, "-m", "serving", "start", "--port", str(self.servers[number])]
        log = self.folder / f"server-{number}.log"
        stack.enter_context(process(command, self.environment(number), log))
        return stack

    def url(self, number: int) -> str:
        return f"http://127.0.0.1:{self.servers[number]}"

    def serve_proxy(self) -> ExitStack:
        """Start nginx by the script and from the template that ship."""
        tls, run = self.folder / "tls", self.folder / "run"
        tls.mkdir()
        run.mkdir(mode=0o755)
        authority = Authority(tls, "clients")
        authority.sign("server", HOST)
        authority.sign("bank")
        Authority(tls, "strangers").sign("stranger")
        servers = [f"server 127.0.0.1:{port} max_fails=2 fail_timeout=2s;" for port in self.servers]
        environ = {
            "SEEDRATE_HOST": HOST,
            "SEEDRATE_SERVERS": " ".join(servers),
            "TLS_FOLDER": str(tls),
            "HTTPS_PORT": str(self.proxy),
            "HEALTH_PORT": str(free_port()),
            "RUN_FOLDER": str(run),
        }
        deploy = ROOT / "deploy/nginx"
        command = [str(deploy / "start.sh"), str(deploy / "nginx.conf.template")]
        stack = ExitStack()
        stack.enter_context(process(command, environ, self.folder / "proxy.log"))
        answers(f"http://127.0.0.1:{environ['HEALTH_PORT']}/livez")
        return stack

    def verified(self) -> str:
        """Let `ledger verify` read the whole log, and return what it says."""
        command = [sys.executable, "-m", "serving", "ledger", "verify"]
        auditor = {"SEEDRATE_LEDGER": self.database("seedrate_auditor", "ledger")}
        environ = {**os.environ, **self.environment(0), **auditor}
        ran = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout


def entries(deployment: Deployment) -> int:
    """Return how many quotes the ledger has."""
    with psycopg.connect(deployment.database("postgres", "ledger")) as connection:
        found = connection.execute("SELECT count(*) FROM entry WHERE kind = 'quote'").fetchone()
    return int(found[0]) if found else 0


def missing() -> str:
    """Return what this machine lacks for a deployment, or an empty string."""
    return ", ".join(name for name in ("nginx", "envsubst") if shutil.which(name) is None)
