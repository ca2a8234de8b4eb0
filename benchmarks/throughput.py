"""Explained quotes over HTTP in a second, beside an echo and MLflow's own server, in one run.

python -m benchmarks.throughput [SECONDS]

Three servers after each other on loopback, one worker each, 256 rotating bodies, 16 connections,
the load from wrk (Debian's package) on the same cores: our service with the champion of var/, every
quote explained and recorded; the same BentoML service with an echo in the desk's place; and `mlflow
models serve` of one bare booster of the champion, without any explanation.
"""

from __future__ import annotations

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

CONNECTIONS, ROTATING = 16, 256
START_SECONDS = 120.0


@dataclass(frozen=True)
class Load:
    """What wrk saw."""

    per_second: float
    p50: str
    p99: str
    errors: int


def main(seconds: int) -> None:
    """Load the three servers in turn and print what they gave, and the ratios."""
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
        bare = mlflow_server(folder, model, seconds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for name, load in (("explained quotes", quotes), ("echo", echoes), ("mlflow, bare", bare)):
        print(
            f"{name:<18} {load.per_second:>9,.0f}/s   p50 {load.p50:>8}   p99 {load.p99:>8}   "
            f"errors {load.errors}"
        )
    print(f"quotes over echo   {quotes.per_second / echoes.per_second:.3f}   (asked: 0.15)")
    print(f"quotes over mlflow {quotes.per_second / bare.per_second:.1f}   (asked: 20)")


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
    text = next((folder / "models").glob("*/default-0.txt")).read_text("utf-8")
    mlflow.lightgbm.save_model(
        lightgbm.Booster(model_str=text), str(folder / "bare"), pip_requirements=["lightgbm"]
    )
    background = np.load(next((folder / "models").glob("*/background.npy")), allow_pickle=False)
    names = [*model.column_set.names, "age_bucket"]
    rows = [[*row.tolist(), 3.0] for row in np.nan_to_num(background[:ROTATING])]
    asked = [orjson.dumps({"dataframe_split": {"columns": names, "data": [row]}}) for row in rows]
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"]
    command += ["--model-uri", str(folder / "bare"), "--port", str(port), "--workers", "1"]
    beside = Path(sys.executable).parent  # where MLflow's server looks for uvicorn
    environment = {**os.environ, "PATH": f"{beside}:{os.environ['PATH']}"}
    environment.pop("OMP_NUM_THREADS", None)  # as it comes: it sets no threads, so neither do we
    with running(command, f"http://127.0.0.1:{port}/ping", folder, environment):
        return loaded(f"http://127.0.0.1:{port}/invocations", asked, seconds, folder)


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
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
