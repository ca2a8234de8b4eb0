from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson
import pytest

from models.audit import Audit
from pricing.deal import Deal
from pricing.errors import InputError, PolicyError
from pricing.support.supported import Support
from serving.access.caller import LOCAL
from serving.desk import Desk
from serving.gauges import Gauges
from serving.ledger.entry import Entry, Kept
from serving.ledger.none import NoLedger
from serving.problem import RefusedError
from serving.quote_id import drawn
from tests.serving.fakes import ListLedger, PlainPricer, PlainQuote, desk, request


def batch(at: Desk, asked: list[Any]) -> list[Any]:
    answer = asyncio.run(at.batch({"quotes": asked}, LOCAL, "k"))
    results: list[Any] = orjson.loads(answer.body)["results"]
    return results


def test_what_is_given_has_been_recorded() -> None:
    ledger = ListLedger()
    reply = asyncio.run(desk(ledger).quote(request(), LOCAL, "k"))
    assert reply.quote_id is not None
    assert ledger.kept == {reply.quote_id: reply.body}


def test_a_reply_says_when_what_and_under_which_id() -> None:
    reply = asyncio.run(desk(ListLedger()).quote(request(language="zh"), LOCAL, "k"))
    assert orjson.loads(reply.body) == {
        "quote_id": "01a20846-fe00-7000-8000-000000000001",
        "recorded": True,
        "time": "2026-11-23T12:00:00.000Z",
        "reference": "R-1",
        "instrument": {
            "kind": "term_loan",
            "amount": 1_000_000,
            "term_months": 36,
            "repayment": "linear",
            "grace_months": 0,
            "payment_months": 1,
            "scheme": None,
            "tier": None,
            "subsidy": None,
        },
        "spread_bps": "360.00",
        "language": "zh",
    }


def test_a_what_if_is_marked_and_leaves_no_trace() -> None:
    ledger = ListLedger()
    document = orjson.loads(desk(ledger).what_if(request(), LOCAL).body)
    assert (document["quote_id"], document["recorded"], ledger.kept) == (None, False, {})


def test_what_cannot_be_recorded_is_not_given() -> None:
    class Full(ListLedger):
        async def record(self, entry: Entry) -> Kept | None:
            return await NoLedger().record(entry)

    with pytest.raises(RefusedError):
        asyncio.run(desk(Full()).quote(request(), LOCAL, "k"))
    results = batch(desk(Full()), [request()])
    assert results[0]["problem"]["code"] == "not_recorded"


def test_a_refused_request_is_not_recorded() -> None:
    ledger = ListLedger()
    for body in (request(instrument__amount=-1), request(project__city="Nowhere")):
        with pytest.raises((InputError, PolicyError)):
            asyncio.run(desk(ledger).quote(body, LOCAL, "k"))
    assert not ledger.kept


def test_each_request_of_a_batch_has_its_own_answer() -> None:
    ledger = ListLedger()
    asked = [
        request(reference="a"),
        request(instrument__amount=-1),
        request(project__city="Nowhere"),
        None,
        request(project__city="Unfit"),
        request(project__city="Crash"),
        request(reference="b"),
    ]
    results = batch(desk(ledger), asked)
    assert [result["status"] for result in results] == [201, 422, 409, 422, 500, 500, 201]
    assert [results[i]["quote"]["reference"] for i in (0, -1)] == ["a", "b"]
    for result in results[4:6]:
        assert result["problem"]["code"] == "internal_error"
        assert result["problem"]["detail"] == "this was logged as error e-1"
    assert results[1]["problem"]["faults"][0]["field"] == "instrument.amount"
    assert len(ledger.kept) == 2


def test_a_batch_lets_others_in_between() -> None:
    seen: list[int] = []
    ledger = ListLedger()

    async def both() -> None:
        asked = {"quotes": [request()] * 500}
        batch = asyncio.create_task(desk(ledger).batch(asked, LOCAL, "k"))
        while not batch.done():
            seen.append(len(ledger.kept))
            await asyncio.sleep(0)

    asyncio.run(both())
    assert len(seen) > 25


@pytest.mark.parametrize("sizes", [(2, 3), (3, 2), (1, 500)])
def test_a_batch_of_another_size_under_a_used_key_is_refused(sizes: tuple[int, int]) -> None:
    ledger = ListLedger()
    first, second = sizes
    batch(desk(ledger), [request()] * first)
    with pytest.raises(RefusedError) as error:
        batch(desk(ledger), [request()] * second)
    assert (error.value.problem.code, len(ledger.kept)) == ("key_reused", first)


def test_a_batch_whose_first_requests_were_refused_holds_its_key_too() -> None:
    ledger = ListLedger()
    batch(desk(ledger), [request(project__city="Nowhere")] * 3 + [request()])
    with pytest.raises(RefusedError):
        batch(desk(ledger), [request()] * 2)
    results = batch(desk(ledger), [request()] * 4)
    assert [result["status"] for result in results] == [201] * 4
    assert len(ledger.kept) == 4


def test_a_fault_of_the_terms_is_told_under_the_callers_name() -> None:
    with pytest.raises(InputError) as error:
        asyncio.run(desk(ListLedger()).quote(request(instrument__grace_months=40), LOCAL, "k"))
    assert [fault.field for fault in error.value.faults] == ["instrument.grace_months"]


@dataclass(frozen=True)
class AuditedPricer(PlainPricer):
    """Finds, when it is asked to audit, what a column in the request says."""

    def quote_checked(
        self,
        project: Mapping[str, object],
        deal: Deal,
        support: Support | None,
        overrides: Mapping[str, float],
        *,
        caller: str,
        audit: bool,
    ) -> PlainQuote:
        found = Audit(300.0, np.zeros(1), 0.0, float(str(project["staff"])), 5.0)
        return PlainQuote(deal.terms, "path", found if audit else None)


def test_the_ids_that_are_drawn_are_audited_counted_and_warned_about(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gauges = Gauges()
    audited = replace(
        desk(ListLedger()),
        pricer=AuditedPricer(),
        drawn=lambda quote_id: not quote_id.endswith("2"),
        audited=gauges.audit,
    )
    for staff in (12, 700, 3):  # off by 12 bp, not audited, off by 3 bp; 5 are allowed
        asyncio.run(audited.quote(request(project__staff=staff), LOCAL, f"k{staff}"))
    audited.what_if(request(project__staff=800), LOCAL)
    text = gauges.text().decode()
    assert 'seedrate_audit_difference_bps_count{method="path"} 2.0' in text
    assert 'seedrate_audit_difference_bps_sum{method="path"} 15.0' in text
    assert 'seedrate_audit_alarms_total{method="path"} 1.0' in text
    assert len(caplog.records) == 1
    assert "000000000001: its path is off" in caplog.text
    assert "biotech" not in caplog.text


def test_the_share_of_ids_that_are_drawn_is_the_share_asked_for() -> None:
    ids = [f"01a20846-fe00-7000-8000-{number:012x}" for number in range(20_000)]
    found = sum(drawn(one, share=0.02) for one in ids)
    assert abs(found - 400) < 4 * np.sqrt(400)  # four standard deviations of a binomial
    assert not any(drawn(one, share=0.0) for one in ids)
    assert all(drawn(one, share=1.0) for one in ids)
