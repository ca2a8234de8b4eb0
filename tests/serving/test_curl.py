"""The example for curl, run as it is printed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.serving.client.test_client import key_line
from tests.serving.known_key import KEY


def test_the_example_for_curl_gets_a_quote_its_retry_and_its_proof(
    process: str, process_home: Path, tmp_path: Path
) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    environ = {**os.environ, "KEY": KEY, "KEEP": str(tmp_path)}
    command = [str(ROOT / "examples/curl.sh"), process]
    ran = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["recorded"]
    verify = [sys.executable, str(ROOT / "deploy/verify_receipt.py"), "receipt.json"]
    verify += ["--key", key_line(process_home), "--reply", "reply.json"]
    checked = subprocess.run(verify, cwd=tmp_path, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
    assert "INTACT" in checked.stdout


def test_a_refusal_ends_the_example_and_is_shown(process: str, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    (tmp_path / "wrong.json").write_text('{"project": {}}')
    command = [str(ROOT / "examples/curl.sh"), process, "wrong.json"]
    environ = {**os.environ, "KEY": KEY}
    ran = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert ran.returncode != 0
    assert KEY not in ran.stderr + ran.stdout
