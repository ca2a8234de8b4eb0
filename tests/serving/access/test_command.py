from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from serving.access import root
from serving.access.key import Key
from serving.access.key_file import keep, kept
from serving.settings import Settings
from tests.serving.conftest import ROOT

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def keys(tmp_path: Path) -> Run:
    """Return `python -m serving keys` with its own `var`."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, "SEEDRATE_VAR": str(tmp_path / "var")}
        command = [sys.executable, "-m", "serving", "keys", *words]
        return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True)

    return run


def test_a_key_is_made_shown_once_listed_and_revoked(keys: Run, tmp_path: Path) -> None:
    made = keys("create", "--client", "front", "--tenant", "bank", "--scopes", "price,explain",
                "--expires", "2999-01-01")  # fmt: skip
    key = Key.read(made.stdout.strip())
    assert key is not None, made.stderr
    assert key.secret not in made.stderr
    listed = keys("list").stdout
    row = next(line for line in listed.splitlines() if key.id in line)
    for part in ("bank", "front", "explain price", "live", "2999-01-01", "never"):
        assert part in row
    assert key.secret not in listed
    assert "opens nothing any more" in keys("revoke", key.id).stdout
    assert "revoked" in keys("list").stdout
    noted = [json.loads(line) for line in (tmp_path / "var/audit.jsonl").read_text().splitlines()]
    assert [one["kind"] for one in noted] == ["key_created", "key_revoked"]
    assert {(one["tenant"], one["client"], one["key_id"]) for one in noted} == {
        ("bank", "front", key.id)
    }


def test_everything_that_is_wrong_with_a_key_is_named_at_once(keys: Run) -> None:
    made = keys("create", "--client", "a b", "--tenant", "", "--scopes", "price,root",
                "--expires", "2001-01-01")  # fmt: skip
    assert (made.returncode, made.stdout) == (1, "")
    for part in ("--client", "--tenant", "--scopes", "root", "--expires"):
        assert part in made.stderr


def test_a_key_may_be_kept_for_this_machines_own_commands(keys: Run, tmp_path: Path) -> None:
    made = keys("create", "--client", "demo", "--keep")
    file = tmp_path / "var" / "keys" / "caller.key"
    settings = Settings.read({"SEEDRATE_VAR": str(tmp_path / "var")})
    assert made.stdout == ""
    assert file.stat().st_mode & 0o077 == 0
    assert file == settings.key_file
    record = root.key_store(settings).check(kept(file))
    assert (record.tenant, record.client) == ("local", "demo")
    assert record.expires - record.created == 365 * 24 * 3600


def test_a_kept_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key"
    assert kept(file) == ""
    keep(file, Key("aaaaaaaa", "A" * 43))
    assert Key.read(kept(file)) is not None
    file.chmod(0o644)
    with pytest.raises(Exception, match="chmod 600"):
        kept(file)
