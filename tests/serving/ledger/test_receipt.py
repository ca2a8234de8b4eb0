"""Receipts over HTTP, and the verifier that needs nothing of ours."""

from __future__ import annotations

import base64
import json
import string
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from runpy import run_path
from typing import Any

import orjson
import pytest

from serving.app import Server
from serving.ledger import tree
from serving.ledger.note import Checkpoint
from serving.ledger.tree import ProofError
from tests.conftest import ROOT
from tests.serving.http import Answer, ask, gate

GOOD = (ROOT / "examples" / "good.json").read_bytes()
VERIFIER = ROOT / "deploy" / "verify_receipt.py"


@pytest.fixture(scope="module")
def given(server: Server) -> list[Answer]:
    """Some quotes."""
    return [ask(gate(server.office), "POST", "/v1/quotes", GOOD) for _ in range(3)]


@pytest.fixture(scope="module")
def receipt(server: Server, given: list[Answer]) -> dict[str, Any]:
    answer = ask(gate(server.office), "GET", given[1].headers["location"] + "/receipt")
    assert answer.status == 200
    document: dict[str, Any] = answer.document
    return document


def key(server: Server) -> str:
    return server.ledger._signer_of().verifier.line


def verified(folder: Path, receipt: Any, *arguments: str) -> tuple[int, str]:
    """Run the verifier as an outsider does: isolated, elsewhere, without the checkout."""
    (folder / "verify_receipt.py").write_bytes(VERIFIER.read_bytes())
    (folder / "receipt.json").write_bytes(
        receipt if isinstance(receipt, bytes) else orjson.dumps(receipt)
    )
    command = [sys.executable, "-I", "verify_receipt.py", "receipt.json", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={})
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_a_receipt_verifies_offline(
    server: Server, receipt: dict[str, Any], given: list[Answer], tmp_path: Path
) -> None:
    (tmp_path / "reply.json").write_bytes(given[1].body)
    (tmp_path / "older").write_bytes(ask(gate(server.office), "GET", "/v1/checkpoint").body)
    code, said = verified(
        tmp_path, receipt, "--key", key(server), "--reply", "reply.json", "--since", "older"
    )
    assert (code, said.splitlines()[-1]) == (0, "INTACT"), said
    assert f"spread_bps {given[1].document['spread_bps']}" in said
    assert given[1].document["model"]["digest"] in said


def altered(receipt: dict[str, Any], path: str) -> dict[str, Any]:
    """Return a receipt in which one bit of a base64 value is another."""
    copy: dict[str, Any] = json.loads(json.dumps(receipt))
    *parents, name = path.split(".")
    at: Any = copy
    for parent in parents:
        at = at[int(parent) if isinstance(at, list) else parent]
    raw = base64.b64decode(at[int(name) if isinstance(at, list) else name])
    raw = raw[:-1] + bytes([raw[-1] ^ 1])
    at[int(name) if isinstance(at, list) else name] = base64.b64encode(raw).decode()
    return copy


PATHS = ["body", "path.0", "openings.reply.value", "openings.reply.salt",
         "openings.project.value", "openings.terms.salt"]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_one_flipped_bit_is_noticed(
    server: Server, receipt: dict[str, Any], tmp_path: Path, path: str
) -> None:
    code, said = verified(tmp_path, altered(receipt, path), "--key", key(server))
    assert code == 1, said


def test_every_flipped_byte_of_a_receipt_is_noticed(
    server: Server, given: list[Answer], tmp_path: Path
) -> None:
    raw = ask(gate(server.office), "GET", given[1].headers["location"] + "/receipt").body
    verifier = run_path(str(VERIFIER))
    path, unseen = tmp_path / "receipt.json", []
    for at in range(len(raw)):
        path.write_bytes(raw[:at] + bytes([raw[at] ^ (1 << at % 8)]) + raw[at + 1 :])
        try:
            verifier["verify"](path, key(server), None, None, None)
        except (verifier["TamperedError"], verifier["CannotTellError"]):
            continue
        unseen.append((at, raw[at - 20 : at + 20]))
    assert unseen == []


def test_base64_in_another_spelling_is_noticed(
    server: Server, receipt: dict[str, Any], tmp_path: Path
) -> None:
    """A path's step has 32 bytes, 44 letters: the last letter has two bits that say nothing."""
    letters = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
    step = receipt["path"][0]
    other = step[:-2] + letters[letters.index(step[-2]) + 1] + "="
    assert base64.b64decode(other) == base64.b64decode(step)
    forged = {**receipt, "path": [other, *receipt["path"][1:]]}
    assert verified(tmp_path, forged, "--key", key(server))[0] != 0


def test_a_name_that_stands_twice_is_no_receipt(
    server: Server, receipt: dict[str, Any], tmp_path: Path
) -> None:
    twice = b'{"body":"AAAA",' + orjson.dumps(receipt)[1:]
    assert verified(tmp_path, twice, "--key", key(server))[0] == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda one: {**one, "seq": one["seq"] - 1},
        lambda one: {**one, "quote_id": "another"},
        lambda one: {**one, "path": one["path"][:-1]},
        lambda one: {**one, "checkpoint": one["checkpoint"].replace("\n", "\n1", 1)},
        lambda one: {**one, "openings": {"more": one["openings"]["reply"]}},
    ],
)
def test_other_forgeries_are_noticed(
    server: Server,
    receipt: dict[str, Any],
    tmp_path: Path,
    change: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    code, said = verified(tmp_path, change(receipt), "--key", key(server))
    assert code == 1, said


def test_another_reply_is_not_the_one_recorded(
    server: Server, receipt: dict[str, Any], given: list[Answer], tmp_path: Path
) -> None:
    (tmp_path / "reply.json").write_bytes(given[2].body)
    code, _ = verified(tmp_path, receipt, "--key", key(server), "--reply", "reply.json")
    assert code == 1


def test_a_key_of_somebody_else_does_not_sign(
    server: Server, receipt: dict[str, Any], tmp_path: Path
) -> None:
    from serving.ledger import keyring

    other = keyring.signer(tmp_path / "k/signing.key", "localhost/seedrate", make=True)
    assert verified(tmp_path, receipt, "--key", other.verifier.line)[0] == 1


@pytest.mark.parametrize(
    ("receipt_", "key_"),
    [
        (b"no json", ""),
        (b"[]", ""),
        (b"{}", ""),
        (b'{"schema":"seedrate.receipt.1","anchors":[5]}', ""),
        (None, "not a key"),
        (None, "other.example+aa+bb"),
        (None, "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"),
    ],
)
def test_what_cannot_be_told_is_told_so(
    server: Server, receipt: dict[str, Any], tmp_path: Path, receipt_: bytes | None, key_: str
) -> None:
    code, said = verified(tmp_path, receipt_ or receipt, "--key", key_ or key(server))
    assert code == 2, said


def test_one_field_can_be_opened_without_the_others(
    server: Server, receipt: dict[str, Any], tmp_path: Path
) -> None:
    alone = {**receipt, "openings": {"terms": receipt["openings"]["terms"]}}
    code, said = verified(tmp_path, alone, "--key", key(server))
    assert (code, "closed: explanation, project, reply, request" in said) == (0, True), said


def test_what_is_public_of_a_quote_says_nothing_of_the_project(receipt: dict[str, Any]) -> None:
    body = base64.b64decode(receipt["body"])
    asked = json.loads(GOOD)
    for name, value in asked["project"].items():
        assert name.encode() not in body
        assert not isinstance(value, str) or value.encode() not in body
    assert set(json.loads(body)["commit"]) == set(receipt["openings"])


def test_tiles_over_http_make_the_root_of_the_checkpoint(
    server: Server, given: list[Answer]
) -> None:
    note = ask(gate(server.office), "GET", "/v1/checkpoint").body.decode()
    checkpoint = Checkpoint.parse(note)
    path = f"/v1/tile/0/000.p/{checkpoint.size}"
    data = ask(gate(server.office), "GET", path).body
    edge = tree.Edge()
    for at in range(0, len(data), 32):
        edge.add(data[at : at + 32])
    assert (edge.size, edge.root()) == (checkpoint.size, checkpoint.root)
    beyond = f"/v1/tile/0/000.p/{checkpoint.size + 1}"
    assert ask(gate(server.office), "GET", beyond).status == 404


def test_a_row_that_was_altered_gets_no_receipt(server: Server, given: list[Answer]) -> None:
    import asyncio
    from dataclasses import replace

    from serving.ledger.receipt import receipt as made

    kept = asyncio.run(server.ledger.find("local", given[0].document["quote_id"]))
    note = asyncio.run(server.ledger.checkpoint())
    assert kept is not None
    assert made(kept, server.ledger.tiles, note)
    for bad in (replace(kept, body=kept.body + b" "), replace(kept, request=bytes(32))):
        with pytest.raises(ProofError):
            made(bad, server.ledger.tiles, note)
