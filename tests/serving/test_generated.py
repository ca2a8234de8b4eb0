"""A client that a stranger generates from the interface quotes what the interface shows."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from serving.client import Client
from tests.conftest import ROOT
from tests.serving.known_key import KEY

GENERATOR = "openapi-python-client"
QUOTES = """
import json, sys
from seedrate_client import AuthenticatedClient
from seedrate_client.api.default import post_v1_quotes
from seedrate_client.models import Problem, Quote, Request

url, key, body = sys.argv[1:]
asked = Request.from_dict(json.loads(body))
with AuthenticatedClient(base_url=url, token=key) as client:
    quote = post_v1_quotes.sync(client=client, body=asked, idempotency_key="generated")
    assert isinstance(quote, Quote), quote
    again = post_v1_quotes.sync(client=client, body=asked, idempotency_key="generated")
    wrong = Request.from_dict(json.loads(body))
    wrong.instrument.amount = -1
    refused = post_v1_quotes.sync(client=client, body=wrong, idempotency_key="refused")
assert isinstance(refused, Problem) and refused.faults[0].field == "instrument.amount", refused
assert again == quote
print(json.dumps(quote.to_dict()))
"""


@pytest.fixture(scope="module")
def generated(process: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which a client was generated."""
    places = f"{ROOT / 'var/tools/bin'}{os.pathsep}{os.environ['PATH']}"
    generator = shutil.which(GENERATOR, path=places)
    if generator is None:
        pytest.skip(f"{GENERATOR} is not installed: deploy/tools.sh")
    folder = tmp_path_factory.mktemp("generated")
    with Client(process, KEY) as client:
        (folder / "openapi.json").write_bytes(client.get("/openapi.json"))
    config = folder / "config.json"
    config.write_text(json.dumps({"package_name_override": "seedrate_client", "post_hooks": []}))
    command = [generator, "generate", "--path", "openapi.json", "--meta", "none"]
    command += ["--output-path", "seedrate_client", "--config", str(config), "--fail-on-warning"]
    made = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    return folder


def test_a_generated_client_quotes_and_reads_a_refusal(process: str, generated: Path) -> None:
    body = (ROOT / "examples" / "good.json").read_text("utf-8")
    command = [sys.executable, "-c", QUOTES, process, KEY, body]
    ran = subprocess.run(command, cwd=generated, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    with Client(process, KEY) as client:
        found = client.by_key("generated")
    assert found is not None
    assert json.loads(ran.stdout)["spread_bps"] == found.document["spread_bps"]


def test_a_generated_client_is_typed_throughout(generated: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--no-incremental", "-p", "seedrate_client"]
    ran = subprocess.run(command, cwd=generated, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout
