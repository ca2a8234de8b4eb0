"""Credentials go through every path, and are then looked for in everything that was written."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

import pytest

from serving.access import root
from serving.access.caller import SCOPES
from serving.access.key import Key
from serving.access.pepper import Pepper
from serving.doors import DOORS
from serving.settings import Settings
from tests.serving.access.issuer import RULES, TestIssuer
from tests.serving.conftest import ROOT, running
from tests.serving.fakes import REQUEST
from tests.serving.http import HOST, JSON, ask, gate, office
from tests.serving.test_service import GOOD, call


def found(canaries: dict[str, bytes], places: dict[str, bytes]) -> list[str]:
    return [f"{what} in {where}" for what, secret in canaries.items() for where, text in
            places.items() if secret in text]  # fmt: skip


def written(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder but the two that are there to hold a secret."""
    kept = {folder / "keys" / "pepper", folder / "keys" / "caller.key"}
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and file not in kept
    }


def test_no_credential_is_in_any_log_answer_or_metric(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    issuer = TestIssuer.with_keys()
    (tmp_path / "jwks.json").write_bytes(issuer.jwks)
    settings = Settings.read(
        {
            "SEEDRATE_VAR": str(tmp_path),
            "SEEDRATE_JWKS": str(tmp_path / "jwks.json"),
            "SEEDRATE_JWT_ISSUER": RULES.issuer,
            "SEEDRATE_JWT_AUDIENCE": RULES.audience,
        }
    )
    store, guard = root.key_store(settings), root.guard(settings)
    live, dead = (
        store.create("bank", "front", frozenset(SCOPES), int(time.time()) + 60) for _ in range(2)
    )
    store.revoke(dead.id)
    forged = Key(live.id, "Z" * 43)
    good, foreign = issuer.token(now=time.time()), TestIssuer.with_keys().token(now=time.time())
    shown = [live.text.encode(), dead.text.encode(), forged.text.encode(), good, foreign]
    shown += [live.text.encode()[:-1] + b"g", good[:-1]]
    app, answers = gate(office(), guard=guard), {}
    crash = REQUEST | {"project": REQUEST["project"] | {"city": "Crash"}}
    with caplog.at_level(logging.DEBUG):
        for number, credential in enumerate(shown):
            for door in DOORS:
                for body in (REQUEST, crash, b"{"):
                    sent = [HOST, JSON, (b"authorization", b"Bearer " + credential)]
                    answer = ask(
                        app, door.method, door.path, body if door.most_bytes else b"", sent
                    )
                    answers[f"{number} {door.path} {body!r}"] = (
                        answer.body + str(answer.headers).encode()
                    )
    guard.close()
    store.close()
    pepper = Pepper.read(settings.access.pepper)
    assert pepper is not None
    canaries = {
        "the key": live.secret.encode(),
        "a dead key": dead.secret.encode(),
        "a forged key": forged.secret.encode(),
        "a token": good.rsplit(b".")[-1][:-1],
        "a foreign token": foreign.rsplit(b".")[-1][:-1],
        "the pepper": pepper.secret,
        "the pepper, in hex": pepper.secret.hex().encode(),
    }
    out, err = capfd.readouterr()
    places = {"the log": caplog.text.encode(), "stdout": out.encode(), "stderr": err.encode()}
    assert "a secret of the inside" in caplog.text  # there was something to find it in
    assert len(answers) == len(shown) * len(DOORS) * 3
    assert found(canaries, {**places, **answers, **written(tmp_path)}) == []
    kinds = {line.split('"why":"')[1].split('"')[0] for line in
             (tmp_path / "audit.jsonl").read_text().splitlines()}  # fmt: skip
    assert {"the key was revoked", "the secret is not the key's"} <= kinds


def test_a_credential_in_a_log_would_be_noticed() -> None:
    assert found({"the key": b"abc"}, {"the log": b"Bearer abc"}) == ["the key in the log"]


def test_no_credential_is_in_what_a_real_server_writes(tmp_path: Path) -> None:
    settings = Settings.read({"SEEDRATE_VAR": str(tmp_path), "SEEDRATE_TRACKING_URI": "off"})
    store = root.key_store(settings)
    live = store.create("bank", "front", frozenset(SCOPES), int(time.time()) + 600)
    store.close()
    forged = Key(live.id, "Z" * 43)
    environ = {"SEEDRATE_VAR": str(tmp_path), "SEEDRATE_TRACKING_URI": "off"}
    command = [sys.executable, "-m", "serving", "start"]
    bodies = []
    with running(command, environ, ROOT, tmp_path / "log") as url:
        for key, status in ((live, 503), (forged, 401)):
            for path in ("/v1/quotes", "/quote", "/v1/quotes?key=" + key.text):
                answer = call(url + path, GOOD, {
                    "Content-Type": "application/json", "Authorization": f"Bearer {key.text}"
                })  # fmt: skip
                assert answer[0] in (status, 400)
                bodies.append(answer[2])
        metrics = call(url + "/metrics", headers={"Authorization": f"Bearer {live.text}"})[2]
    canaries = {"the key": live.secret.encode(), "a forged key": forged.secret.encode()}
    places = {"answers": b"".join(bodies), "metrics": metrics, **written(tmp_path)}
    assert "log" in places
    assert found(canaries, places) == []
