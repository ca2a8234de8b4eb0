"""Explained quotes over HTTP in a second, beside servers that do less, in one run.

python -m benchmarks.throughput [--seconds 10] [--mlserver PATH]

Servers after each other on loopback, one worker each, 256 rotating bodies, 32 connections, the load
from wrk (Debian's package) on the same cores: our service with the champion of var/, every quote
explained and recorded; the same BentoML service with an echo in the desk's place; `mlflow models
serve` of one bare booster of the champion, without any explanation; and MLServer of the same. Its
packages do not agree with ours, so it is asked only where PATH names the `mlserver` of another
environment, in which `mlserver` and `mlserver-lightgbm` are installed.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import lightgbm
import mlflow.lightgbm
import numpy as np
import orjson

from benchmarks.soak import ROOT, apart, bodies, free_port, key, server
from models.hazard import HazardModel
from serving.champion import champion
from serving.settings import Settings

CONNECTIONS, ROTATING = 32, 256
START_SECONDS = 120.0


@dataclass(frozen=True)
class Load:
    """What wrk saw."""

    per_second: float
    p50: str
    p99: str
    errors: int

    def __str__(self) -> str:
        """Return a row of the table."""
        return (
            f"{self.per_second:>9,.0f}/s   p50 {self.p50:>8}   p99 {self.p99:>8}   "
            f"errors {self.errors}"
        )


def main(seconds: int, mlserver: Path | None) -> None:
    """Load the servers in turn and print what they gave, and the ratios."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: apt-get install wrk")
    folder = ROOT / "var/bench"
    shutil.rmtree(folder, ignore_errors=True)
    settings = Settings.read(os.environ)
    model = champion(settings)
    asked = list(bodies(model.column_set, random.Random(0)))
    try:
        shutil.copytree(settings.models, folder / "models")
        environment = apart(settings, folder)
        shown = key(environment)
        quotes = our_service(folder, environment, shown, asked, seconds)
        echoes = echo_service(folder, environment, shown, asked, seconds)
        others = {"echo": (echoes, "0.15")}
        others["mlflow, bare"] = (mlflow_server(folder, model, seconds), "20")
        if mlserver is not None:
            others["MLServer, bare"] = (mlserver_of(mlserver, folder, model, seconds), "0.45")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{'explained quotes':<18} {quotes}")
    for name, (load, asked_ratio) in others.items():
        ratio = quotes.per_second / load.per_second
        print(f"{name:<18} {load}   quotes over it {ratio:.3f} (asked: {asked_ratio})")


def our_service(
    folder: Path, environment: Mapping[str, str], shown: str, asked: Sequence[bytes], seconds: int
) -> Load:
    """Ask our own server for explained quotes, and show it a key."""
    with server(environment, folder) as (url, _):
        return loaded(f"{url}/v1/quotes", asked, seconds, folder, shown)


def echo_service(
    folder: Path, environment: Mapping[str, str], shown: str, asked: Sequence[bytes], seconds: int
) -> Load:
    """Ask the echo for the same bodies, and show it the same key."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "bentoml",
        "serve",
        "benchmarks.echo:Echo",
        "--port",
        str(port),
    ]
    with running(command, f"http://127.0.0.1:{port}/livez", folder, environment):
        return loaded(f"http://127.0.0.1:{port}/v1/quotes", asked, seconds, folder, shown)


def mlflow_server(folder: Path, model: HazardModel, seconds: int) -> Load:
    """Ask MLflow's own server for one raw score of a booster."""
    mlflow.lightgbm.save_model(booster(folder), str(folder / "bare"), pip_requirements=["lightgbm"])
    names, rows = [*model.column_set.names, "age_bucket"], rows_of(folder)
    asked = [orjson.dumps({"dataframe_split": {"columns": names, "data": [row]}}) for row in rows]
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"]
    command += ["--model-uri", str(folder / "bare"), "--port", str(port), "--workers", "1"]
    beside = Path(sys.executable).parent  # where MLflow's server looks for uvicorn
    environment = {**os.environ, "PATH": f"{beside}:{os.environ['PATH']}"}
    environment.pop("OMP_NUM_THREADS", None)  # as it comes: it sets no threads, so neither do we
    with running(command, f"http://127.0.0.1:{port}/ping", folder, environment):
        return loaded(f"http://127.0.0.1:{port}/invocations", asked, seconds, folder)


def mlserver_of(command: Path, folder: Path, model: HazardModel, seconds: int) -> Load:
    """Ask an MLServer, without workers beside its own process, for one raw score of a booster."""
    home = folder / "mlserver"
    home.mkdir()
    booster(folder).save_model(home / "model.bst")
    http, grpc, metrics = free_port(), free_port(), free_port()
    ports = {"http_port": http, "grpc_port": grpc, "metrics_port": metrics}
    settings = {"host": "127.0.0.1", "parallel_workers": 0, "debug": False, **ports}
    (home / "settings.json").write_bytes(orjson.dumps(settings))
    served = {
        "name": "bare",
        "implementation": "mlserver_lightgbm.LightGBMModel",
        "parameters": {"uri": "./model.bst"},
    }
    (home / "model-settings.json").write_bytes(orjson.dumps(served))
    columns = len(model.column_set.names) + 1
    shaped = {"name": "x", "shape": [1, columns], "datatype": "FP64"}
    asked = [orjson.dumps({"inputs": [{**shaped, "data": row}]}) for row in rows_of(folder)]
    url = f"http://127.0.0.1:{http}/v2/models/bare"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with running([str(command), "start", str(home)], f"{url}/ready", folder, environment):
        return loaded(f"{url}/infer", asked, seconds, folder)


def booster(folder: Path) -> lightgbm.Booster:
    """Return one booster of the champion's copy."""
    text = next((folder / "models").glob("*/default-0.txt")).read_text("utf-8")
    return lightgbm.Booster(model_str=text)


def rows_of(folder: Path) -> list[list[float]]:
    """Return rows of the champion's background, as a booster takes them."""
    background = np.load(next((folder / "models").glob("*/background.npy")), allow_pickle=False)
    return [[*row.tolist(), 3.0] for row in np.nan_to_num(background[:ROTATING])]


@contextmanager
def running(
    command: Sequence[str], ready: str, folder: Path, environment: Mapping[str, str]
) -> Iterator[None]:
    """Run a server for as long as the block lasts, from when `ready` answers."""
    with (folder / "other.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        until = time.monotonic() + START_SECONDS
        while not answers(ready):
            if process.poll() is not None or time.monotonic() > until:
                sys.exit((folder / "other.log").read_text("utf-8")[-2000:])
            time.sleep(0.5)
        yield
    finally:
        with suppress(ProcessLookupError):  # it never came up
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def answers(url: str) -> bool:
    """Return whether an address answers."""
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except OSError:
        return False


def loaded(url: str, asked: Sequence[bytes], seconds: int, folder: Path, shown: str = "") -> Load:
    """Warm a server up, load it, and return what wrk saw."""
    script = folder / "bodies.lua"
    script.write_text(lua(asked, shown), encoding="utf-8")
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", "--latency", "-s", str(script), url]
    subprocess.run([*command, "-d2"], check=True, capture_output=True)
    said = subprocess.run(
        [*command, f"-d{seconds}"], check=True, capture_output=True, text=True
    ).stdout
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    broken = re.search(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    return Load(
        per_second=float(found(r"Requests/sec:\s+([\d.]+)", said)),
        p50=found(r"\n\s+50%\s+(\S+)", said),
        p99=found(r"\n\s+99%\s+(\S+)", said),
        errors=int(wrong[1] if wrong else 0) + sum(map(int, broken.groups() if broken else ())),
    )


def found(pattern: str, text: str) -> str:
    """Return the first group of a pattern that must be there."""
    match = re.search(pattern, text)
    if match is None:
        sys.exit(f"wrk must print {pattern}, however: {text}")
    return match[1]


def lua(asked: Sequence[bytes], shown: str) -> str:
    """Return wrk's script: one body after the other, each with the key that is shown."""
    bodies = ",\n".join(f"[==[{body.decode()}]==]" for body in asked)
    return f"""
local bodies = {{{bodies}}}
local at = 0
local prefix = os.time() .. "-"
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer {shown}"
request = function()
  at = at + 1
  wrk.headers["Idempotency-Key"] = prefix .. at
  return wrk.format(nil, nil, nil, bodies[at % #bodies + 1])
end
"""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--mlserver", type=Path)
    given = parser.parse_args()
    main(given.seconds, given.mlserver)
