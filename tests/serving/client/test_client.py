"""A client before a real server, with a proxy between them that loses what passes."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from serving.client import Client, NoAnswerError, ProblemError, ProofError, Quote, Witness
from serving.client.patience import Patience
from serving.ledger.keyring import signer
from serving.settings import Settings
from tests.serving.client import flaky
from tests.serving.conftest import ROOT
from tests.serving.known_key import KEY

GOOD = (ROOT / "examples" / "good.json").read_bytes()
QUOTES, CALLERS = 40, 8


@pytest.fixture
def client(process: str) -> Iterator[Client]:
    with Client(process, KEY) as made:
        yield made


@pytest.fixture
def witness(process: str, process_home: Path, tmp_path: Path) -> Witness:
    return Witness(key_line(process_home), tmp_path / "seen" / "checkpoint")


@pytest.fixture
def trusting(client: Client, witness: Witness) -> Iterator[Client]:
    with replace(client, witness=witness) as made:
        yield made


def key_line(home: Path) -> str:
    settings = Settings.read({"SEEDRATE_VAR": str(home)})
    return signer(settings.ledger_key, settings.origin, make=False).verifier.line


def test_a_quote_is_read_with_its_types(client: Client) -> None:
    quote = client.quote(json.loads(GOOD), key="typed")
    assert quote.figure.name == "spread_bps"
    assert sum((one.bps for one in quote.waterfall), Decimal(0)) == 10_000 * (quote.rate or 0)
    assert [one.bps > 0 for one in quote.reasons] == [True] * len(quote.reasons)
    assert Decimal(0) < quote.pd_lifetime < 1
    assert Decimal(0) < quote.lgd < 1
    assert not quote.replayed
    again = client.quote(json.loads(GOOD), key="typed")
    assert (again.replayed, again.body) == (True, quote.body)
    assert client.recorded(str(quote.quote_id)).body == quote.body
    found, none = client.by_key("typed"), client.by_key("never")
    assert (found and found.body, none) == (quote.body, None)


def test_a_what_if_is_not_recorded_and_the_card_is_read(client: Client) -> None:
    asked = client.what_if(GOOD)
    assert (asked.quote_id, asked.key) == (None, None)
    assert client.model()["name"] == "seedrate"
    assert any(one["name"] == "runway_months" for one in client.columns()["columns"])


def test_a_batch_has_quotes_and_refusals_in_order_with_the_recorded_bytes(client: Client) -> None:
    good = json.loads(GOOD)
    first, second, third = client.batch([good, {"project": {}}, {**good, "language": "zh"}])
    assert isinstance(second, ProblemError)
    assert (second.code, second.faults[0].field) == ("invalid_input", "project.firm_age_months")
    for quote in (first, third):
        assert isinstance(quote, Quote)
        assert client.recorded(str(quote.quote_id)).body == quote.body
        found = client.by_key(str(quote.key))
        assert found
        assert found.body == quote.body


def faults(seed: int) -> Callable[[], str]:
    """Of ten connections, four fail, each in its own way."""
    dice = random.Random(seed)
    kinds = [flaky.REFUSE, flaky.BEFORE, flaky.AFTER, flaky.HALF, *[flaky.PASS] * 6]
    return lambda: dice.choice(kinds)


def test_however_connections_break_there_is_one_price_a_key(client: Client) -> None:
    before = client.checkpoint().size
    with flaky.between(int(client.url.rpartition(":")[2]), faults(7)) as proxy:
        patient = Client(f"http://127.0.0.1:{proxy.port}", KEY, Patience(60))
        with patient, ThreadPoolExecutor(CALLERS) as callers:
            quotes = [*callers.map(lambda _: patient.quote(GOOD), range(QUOTES))]
    assert {flaky.REFUSE, flaky.BEFORE, flaky.AFTER, flaky.HALF} <= set(proxy.seen)
    assert any(quote.replayed for quote in quotes)  # the server had answered, and nobody heard
    assert len({quote.quote_id for quote in quotes}) == len({q.key for q in quotes}) == QUOTES
    for quote in quotes:
        assert client.recorded(str(quote.quote_id)).body == quote.body
    assert client.checkpoint().size == before + QUOTES


def test_without_its_key_a_retry_would_be_priced_twice(client: Client) -> None:
    """The check above can fail: fresh keys, as a careless caller sends them, make more quotes."""
    before, turns = client.checkpoint().size, iter([flaky.AFTER, flaky.PASS])
    with flaky.between(int(client.url.rpartition(":")[2]), lambda: next(turns)) as proxy:
        with Client(f"http://127.0.0.1:{proxy.port}", KEY, Patience(0)) as careless:
            with pytest.raises(NoAnswerError, match="it may be recorded under the key"):
                careless.quote(GOOD)
            careless.quote(GOOD)
    assert client.checkpoint().size == before + 2


def test_a_receipt_is_verified_and_any_other_reply_is_not_the_one(
    client: Client, trusting: Client
) -> None:
    quote = trusting.quote(GOOD)
    receipt = trusting.receipt(quote)
    assert receipt.checkpoint is not None
    assert client.receipt(quote).checkpoint is None  # nobody verified it
    with pytest.raises(ProofError, match="reply"):
        trusting.receipt(replace(quote, body=quote.body.replace(b"201", b"202", 1) + b" "))


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("seq", lambda seq: seq + 1),
        ("quote_id", lambda _: "another"),
        ("path", lambda path: path[:-1]),
        ("body", lambda body: "AAAA" + body[4:]),
        ("checkpoint", lambda note: note.replace("\n", "\n1", 1)),
        ("openings", lambda all_: {**all_, "reply": {**all_["reply"], "value": "e30="}}),
    ],
)
def test_a_receipt_that_was_changed_proves_nothing(
    client: Client, witness: Witness, part: str, change: Callable[[Any], Any]
) -> None:
    client.quote(GOOD)
    shown = dict(client.receipt(client.quote(GOOD)).document)
    assert witness.receipt(json.dumps(shown).encode())
    with pytest.raises(ProofError):
        witness.receipt(json.dumps(shown | {part: change(shown[part])}).encode())


def test_a_log_is_held_to_its_past(client: Client, trusting: Client, tmp_path: Path) -> None:
    seen = tmp_path / "seen" / "checkpoint"
    first = trusting.checkpoint()
    client.batch([json.loads(GOOD)] * 3)
    second = trusting.checkpoint()
    assert (second.size, trusting.checkpoint()) == (first.size + 3, second)
    seen.write_text(replace(first, root=bytes(32)).text)
    with pytest.raises(ProofError):
        trusting.checkpoint()  # another history than the one that was seen
    seen.write_text(replace(second, size=second.size + 1).text)
    with pytest.raises(ProofError, match="at least"):
        trusting.checkpoint()  # its end was cut off
    with pytest.raises(ProofError, match="signed by a key"):
        Witness(STRANGER, seen).signed(first.text)


STRANGER = (  # of the Go checksum database: a key of the same kind, and of another log
    "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
)
