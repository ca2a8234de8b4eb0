"""A registry of its own for benchmarks, with versions that take turns, and some that are unfit."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.throughput import answers
from models import artifact, golden, registry, statement
from models.keys import SigningKey
from models.statement import Statement
from pricing import policy
from pricing.schedule import Terms

NAME, ALIAS = "seedrate", "champion"
START_SECONDS = 300.0


@dataclass(frozen=True)
class Registry:
    """An MLflow server with our versions, and how they are decided on."""

    uri: str
    folder: Path
    key: SigningKey

    def add(self, model: Path, digest: str | None = None) -> str:
        """Upload the files of a model as the next version; return its number."""
        with registry.client(self.uri) as client:
            run = client.create_run("0")
            client.log_artifacts(run.info.run_id, str(model), f"m/data/{registry.FOLDER}")
            tags = {"digest": digest or artifact.verify(model)}
            source = f"{run.info.artifact_uri}/m"
            made = client.create_model_version(NAME, source, run.info.run_id, tags=tags)
            return str(made.version)

    def point(self, number: str, signed: str) -> None:
        """Let the alias name a version with any statement, without asking anybody."""
        with registry.client(self.uri) as client:
            client.set_model_version_tag(NAME, number, registry.signed_tag(ALIAS), signed)
            client.set_registered_model_alias(NAME, ALIAS, number)

    def signed(self, number: str, key: SigningKey) -> str:
        """Return a statement that is later than all others."""
        with registry.client(self.uri) as client:
            digest = client.get_model_version(NAME, number).tags["digest"]
        when = datetime.now(UTC).isoformat(timespec="seconds")
        told = Statement("promoted", NAME, number, digest, ALIAS, 10_000, "0" * 64, "b", when, "b")
        return statement.sign(told, key)


def raised(model: Path, into: Path, by: float) -> None:
    """Write the same model with a higher level of the cycle, and its own golden prices."""
    shutil.copytree(model, into)
    numbers = json.loads((into / "numbers.json").read_text("utf-8"))
    numbers["overlay"][0] = [level + by for level in numbers["overlay"][0]]
    (into / "numbers.json").write_text(json.dumps(numbers), encoding="utf-8")
    rules, vectors = golden.kept(into)
    told = [(vector["project"], Terms(**vector["terms"])) for vector in vectors]
    text = policy.text(None, currency=rules.currency)
    golden.add(into, artifact.read(into, artifact.seal(into)), told, text)


@contextmanager
def mlflow(folder: Path, port: int) -> Iterator[Callable[[], None]]:
    """Run an MLflow server; what is yielded stops it."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1"]
    command += ["--port", str(port), "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(folder / "files")]
    log = (folder / "mlflow.log").open("wb")
    process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)

    def stop() -> None:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)

    try:
        begun = time.monotonic()
        while not answers(f"http://127.0.0.1:{port}/health"):
            if time.monotonic() - begun > START_SECONDS:
                raise SystemExit("MLflow did not start: see var/swaps/mlflow.log")
            time.sleep(0.5)
        yield stop
    finally:
        stop()
        log.close()
