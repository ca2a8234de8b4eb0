"""`python -m serving ledger`, on a real ledger with a real model."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from serving import app as parts
from serving.app import Server
from serving.ledger.commands import ledger_cli
from serving.ledger.note import Checkpoint
from serving.settings import Settings
from tests.serving import known_key, small_model
from tests.serving.http import Answer, ask, gate
from tests.serving.ledger import authority
from tests.serving.ledger.books import forced, rows
from tests.serving.ledger.test_receipt import GOOD, verified

CANARY = "Canary Borrower Ltd"
Run = Callable[..., Result]


@pytest.fixture
def var(tmp_path: Path) -> Path:
    small_model.write(tmp_path / "models")
    known_key.write(tmp_path)
    return tmp_path


def asked(reference: str = CANARY, **more: Any) -> bytes:
    return orjson.dumps({**orjson.loads(GOOD), "reference": reference, **more})


@pytest.fixture
def given(var: Path) -> list[Answer]:
    """Three quotes, numbers 2 to 4 after the key and the model, of a server that has closed."""
    settings = Settings.read({"SEEDRATE_VAR": str(var), "SEEDRATE_TRACKING_URI": "off"})
    server = Server.open(settings)
    assert server.ledger.wait_open(10)
    server.load()
    until = time.monotonic() + 10
    while server.ledger.size < 2 and time.monotonic() < until:
        time.sleep(0.02)
    made = [
        ask(gate(server.office), "POST", "/v1/quotes", asked(ref)) for ref in (CANARY, "b", CANARY)
    ]
    server.close()
    assert [answer.status for answer in made] == [201] * 3
    return made


@pytest.fixture
def run(var: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("SEEDRATE_VAR", str(var))
    monkeypatch.setenv("SEEDRATE_TRACKING_URI", "off")

    def called(*arguments: str) -> Result:
        return CliRunner().invoke(ledger_cli, [*arguments])

    return called


def test_a_whole_log_verifies_and_an_altered_one_does_not(
    run: Run, given: list[Answer], var: Path
) -> None:
    done = run("verify")
    assert (done.exit_code, "5 entries, 0 of them erased" in done.output) == (0, True), done.output
    forced(var, lambda database: database.execute("UPDATE entry SET body = x'00' WHERE seq = 2"))
    done = run("verify")
    assert (done.exit_code, "TAMPERED: entry 2" in done.output) == (1, True)


def test_where_there_is_no_log_nothing_can_be_told(run: Run, var: Path) -> None:
    assert run("verify").exit_code == 2


def test_a_quote_is_proved(run: Run, given: list[Answer], tmp_path: Path) -> None:
    done = run("prove", given[0].document["quote_id"])
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/reply.json").write_bytes(given[0].body)
    key = run("key").output.strip()
    code, said = verified(
        tmp_path / "elsewhere", done.output.encode(), "--key", key, "--reply", "reply.json"
    )
    assert code == 0, said
    assert run("prove", "017f22e2-79b0-7cc3-98c4-dc0c0c07398f").exit_code == 2


def test_growth_is_proved_and_a_fork_is_not(run: Run, given: list[Answer], var: Path) -> None:
    old = var / "old"
    notes = rows(var, "SELECT note FROM checkpoint ORDER BY size")
    old.write_text(notes[0][0])
    done = run("consistency", str(old))
    assert (done.exit_code, "begins with that of" in done.output) == (0, True)
    old.write_text(notes[0][0].replace("localhost", "localhosf"))
    assert run("consistency", str(old)).exit_code == 1


def test_an_export_holds_the_whole_public_log(run: Run, given: list[Answer], var: Path) -> None:
    assert run("export", str(var / "out")).exit_code == 0
    checkpoint = Checkpoint.parse((var / "out/checkpoint").read_text("utf-8"))
    leaves = rows(var, "SELECT leaf, body FROM entry ORDER BY seq")
    tile = (var / f"out/tile/0/000.p/{checkpoint.size}").read_bytes()
    assert tile == b"".join(leaf for leaf, _ in leaves)
    bundle = (var / f"out/tile/entries/000.p/{checkpoint.size}").read_bytes()
    assert bundle == b"".join(len(body).to_bytes(2, "big") + body for _, body in leaves)
    assert CANARY.encode() not in bundle


def test_a_quote_is_priced_again_byte_for_byte(run: Run, given: list[Answer], var: Path) -> None:
    for answer in given:
        done = run("reprice", answer.document["quote_id"])
        assert (done.exit_code, done.output) == (
            0, "the same, byte for byte, by the same program\n"
        ), done.output  # fmt: skip


def test_a_price_that_was_altered_is_not_made_again(
    run: Run, given: list[Answer], var: Path
) -> None:
    reply = given[0].body.replace(b'"rate":"0.', b'"rate":"1.')
    forced(var, lambda database: database.execute("UPDATE private SET reply = ? WHERE seq = 2",
                                                  (reply,)))  # fmt: skip
    done = run("reprice", given[0].document["quote_id"])
    assert (done.exit_code, "NOT THE SAME" in done.output, "rate" in done.output) == (1, True, True)


def test_without_its_policy_a_quote_cannot_be_priced_again(
    run: Run, given: list[Answer], var: Path
) -> None:
    (policy,) = (var / "policies").iterdir()
    policy.write_bytes(policy.read_bytes() + b"\n")
    assert run("reprice", given[0].document["quote_id"]).exit_code == 2


def test_what_is_erased_is_gone_and_the_proofs_stay(
    run: Run, given: list[Answer], var: Path, tmp_path: Path
) -> None:
    assert on_disk(var, CANARY.encode())
    done = run("erase", "--reference", CANARY, "--why", "the borrower's wish")
    assert (done.exit_code, done.output) == (0, "2 quotes erased\n"), done.output
    assert not on_disk(var, CANARY.encode())
    done = run("verify")
    assert (done.exit_code, "6 entries, 2 of them erased" in done.output) == (0, True), done.output
    receipt = run("prove", given[0].document["quote_id"]).output.encode()
    (tmp_path / "elsewhere").mkdir()
    code, said = verified(tmp_path / "elsewhere", receipt, "--key", run("key").output.strip())
    assert (code, "opened     nothing" in said) == (0, True), said
    assert run("reprice", given[0].document["quote_id"]).exit_code == 2
    assert run("erase", "--reference", CANARY).output == "0 quotes erased\n"


def on_disk(var: Path, text: bytes) -> bool:
    return any(text in path.read_bytes() for path in var.glob("ledger.db*"))


def test_what_was_erased_and_is_there_again_is_noticed(
    run: Run, given: list[Answer], var: Path
) -> None:
    private = rows(var, "SELECT * FROM private WHERE seq = 2")[0]
    assert run("erase", "--reference", CANARY).exit_code == 0
    sql = "INSERT INTO private VALUES (?, ?, ?, ?, ?, ?)"
    forced(var, lambda database: database.execute(sql, private))
    done = run("verify")
    assert (done.exit_code, "private 2: must be gone" in done.output) == (1, True)
    assert run("erase", "--reference", CANARY).output == "1 quotes erased\n"
    assert run("verify").exit_code == 0


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE entry SET quote_id = CAST(x'ff' AS TEXT) WHERE seq = 2",
        "UPDATE checkpoint SET note = CAST(x'ff' AS TEXT)",
        "DELETE FROM head",
        "INSERT INTO head VALUES (1, 0, x'')",
    ],
)
def test_what_cannot_even_be_read_is_tampering(
    run: Run, given: list[Answer], var: Path, sql: str
) -> None:
    forced(var, lambda database: database.execute(sql))
    done = run("verify")
    assert (done.exit_code, "TAMPERED" in done.output) == (1, True), done.output


def test_an_erased_quote_is_410_and_its_key_stays_taken(
    run: Run, given: list[Answer], var: Path
) -> None:
    quote_id = given[1].document["quote_id"]
    key = rows(var, "SELECT idem_key FROM entry WHERE quote_id = ?", quote_id)[0][0]
    assert run("erase", "--quote", quote_id).output == "1 quotes erased\n"
    settings = Settings.read({"SEEDRATE_VAR": str(var), "SEEDRATE_TRACKING_URI": "off"})
    server = Server.open(settings)
    server.ledger.wait_open(10)
    server.load()
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json"),
               (b"idempotency-key", key.encode())]  # fmt: skip
    answers = [
        ask(gate(server.office), "GET", f"/v1/quotes/{quote_id}"),
        ask(gate(server.office), "GET", f"/v1/keys/{key}"),
        ask(gate(server.office), "POST", "/v1/quotes", asked("b"), headers),
    ]
    server.close()
    assert [(one.status, one.document["code"]) for one in answers] == [(410, "erased")] * 3


def test_old_quotes_are_erased_by_age(run: Run, given: list[Answer]) -> None:
    assert run("erase", "--before", "2020-01-31").output == "0 quotes erased\n"
    assert run("erase", "--before", "2999-01-01").output == "3 quotes erased\n"
    assert run("verify").exit_code == 0


def test_what_is_older_than_the_law_asks_for_is_erased(
    run: Run, given: list[Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("erase", "--expired").output == "0 quotes erased\n"
    later = parts.clock() + timedelta(days=366 * 3)
    monkeypatch.setattr(parts, "clock", lambda: later)
    assert run("erase", "--expired").output == "0 quotes erased\n"
    monkeypatch.setenv("SEEDRATE_RETENTION_YEARS", "3")
    assert run("erase", "--expired").output == "3 quotes erased\n"
    assert run("erase", "--expired", "--before", "2999-01-01").exit_code != 0


def test_metrics_tell_the_size_of_the_log_and_its_newest_anchor(
    run: Run, given: list[Answer], var: Path
) -> None:
    settings = Settings.read({"SEEDRATE_VAR": str(var), "SEEDRATE_TRACKING_URI": "off"})
    server = Server.open(settings)
    assert server.ledger.wait_open(10)
    never = server.gauges.text().decode()
    with authority.served(authority.Contract()) as url:
        run("anchor", "--chain", url, "--contract", "0xc0", "--user", "0xa0")
    told = server.gauges.text().decode()
    server.close()
    assert "seedrate_ledger_entries 5.0" in told
    assert "seedrate_ledger_anchored_seconds 0.0" in never
    (line,) = re.findall("^seedrate_ledger_anchored_seconds (.*)$", told, re.M)
    assert abs(float(line) - time.time()) < 60


def test_what_disappears_without_an_erasure_is_tampering(
    run: Run, given: list[Answer], var: Path
) -> None:
    forced(var, lambda database: database.execute("DELETE FROM private WHERE seq = 2"))
    done = run("verify")
    assert (done.exit_code, "no entry says that it was erased" in done.output) == (1, True)


def test_a_new_key_is_listed_under_the_old_ones_signature(
    run: Run, given: list[Answer], var: Path
) -> None:
    first = run("key").output.split()
    done = run("rotate")
    assert done.exit_code == 0, done.output
    assert run("key").output.split() == [*first, done.output.strip()]
    settings = Settings.read({"SEEDRATE_VAR": str(var), "SEEDRATE_TRACKING_URI": "off"})
    server = Server.open(settings)
    assert server.ledger.wait_open(10)
    server.load()
    answer = ask(gate(server.office), "POST", "/v1/quotes", asked())
    receipt = ask(gate(server.office), "GET", answer.headers["location"] + "/receipt")
    server.close()
    assert run("verify", "--key", first[0]).exit_code == 0
    (var / "elsewhere").mkdir()
    codes = [
        verified(var / "elsewhere", receipt.body, "--key", key)[0]
        for key in (done.output.strip(), first[0])
    ]
    assert codes == [0, 1]


def test_an_anchor_goes_with_the_receipt(run: Run, given: list[Answer], var: Path) -> None:
    with authority.served(authority.Contract()) as url:
        chain = ["--chain", url, "--contract", "0xc0", "--user", "0xa0"]
        done = run("anchor", *chain)
        assert (done.exit_code, "chain at 5" in done.output) == (0, True), done.output
        assert "stands in contract 0xc0" in run("anchor", *chain, "--check").output
    receipt = orjson.loads(run("prove", given[0].document["quote_id"]).output)
    assert [one["kind"] for one in receipt["anchors"]] == ["chain"]
    assert run("verify").exit_code == 0
    assert run("anchor", *chain).exit_code == 2  # it is gone, and the log says so
    assert re.search("NOT ANCHORED", run("anchor", *chain).output)


def test_no_two_commands_write_at_once(run: Run, given: list[Answer], var: Path) -> None:
    settings = Settings.read({"SEEDRATE_VAR": str(var), "SEEDRATE_TRACKING_URI": "off"})
    server = Server.open(settings)
    server.ledger.wait_open(10)
    assert asyncio.run(server.ledger.checkpoint())
    assert run("verify").exit_code == 0  # reading is always possible
    assert run("prove", given[0].document["quote_id"]).exit_code == 0
    server.close()
