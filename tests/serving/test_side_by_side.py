"""Many requests at once get what each gets alone: every number, to the last bit."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.additive import Additive, Network, knots_of, peaks
from models.hazard import HazardModel
from models.pricer import Pricer, Quote, Request
from pricing.errors import InputError
from serving.access.caller import LOCAL
from serving.app import Server
from serving.contract import Contract
from tests.serving.fakes import NOON, ListLedger
from tests.serving.small_model import COLUMN_SET
from tests.serving.test_instruments import BODIES, changed

KINDS = [*BODIES.values()]
NEEDED = {column.name for column in COLUMN_SET.asked if not column.optional}


def with_network(model: HazardModel) -> HazardModel:
    """Return the model with a network beside its trees, of nodes drawn by chance."""
    dice, columns = np.random.default_rng(3), len(model.column_set.columns)
    background = dice.normal(size=(30, columns))
    pairs = np.array([[0, 1], [2, 5]])
    nodes = Network(
        knots_of(background, 4),
        knots_of(background, 3),
        pairs,
        peaks(np.array(model.edges), (3.0, 30.0)),
        np.full((2, len(model.edges) - 1), -0.5),
        0.02 * dice.normal(size=(2, columns, 5, 2)),
        0.02 * dice.normal(size=(2, 2, 4, 4, 2)),
    )
    return replace(model, network=Additive.build(nodes, background, np.ones(30)))


def varied(body: dict[str, Any], gone: set[int]) -> dict[str, Any]:
    """Return a request without some columns of its project."""
    out = deepcopy(body)
    told = enumerate(body["project"].items())
    out["project"] = {k: v for at, (k, v) in told if at not in gone or k in NEEDED}
    return out


@pytest.fixture(scope="module", params=["boosted", "blended"])
def pricer(request: pytest.FixtureRequest, server: Server) -> Pricer:
    served = server.office.served.desk.pricer
    assert isinstance(served, Pricer)
    if request.param == "boosted":
        return served
    return replace(served, model=with_network(served.model))


@settings(max_examples=5, deadline=None)
@given(
    chosen=st.lists(
        st.tuples(st.sampled_from(KINDS), st.sets(st.integers(0, 36), max_size=12), st.booleans()),
        min_size=1,
        max_size=40,
    )
)
def test_a_quote_of_many_is_the_quote_alone(pricer: Pricer, chosen: Any) -> None:
    contract, asked = Contract.of(pricer.model.column_set), []
    for body, gone, audit in chosen:
        told = contract.read(varied(body, gone))
        support = told.support(NOON.date())
        asked.append(Request(told.project, told.deal, support, told.overrides, audit=audit))
    for one, quote in zip(asked, pricer.quotes(asked), strict=True):
        given = (one.project, one.deal, one.support, one.overrides)
        alone = pricer.quote_checked(*given, audit=one.audit)
        assert isinstance(quote, Quote)
        assert orjson.dumps(quote.document("en")) == orjson.dumps(alone.document("en"))


def test_one_that_has_no_price_keeps_nobody_from_theirs(pricer: Pricer) -> None:
    contract = Contract.of(pricer.model.column_set)
    bodies = [BODIES["good"], changed("good", scheme="no_such_scheme"), BODIES["poor"]]
    told = [contract.read(body) for body in bodies]
    ends = pricer.quotes([Request(t.project, t.deal, t.support(NOON.date())) for t in told])
    assert [type(end) for end in ends] == [Quote, InputError, Quote]


def test_a_batch_says_byte_for_byte_what_single_requests_are_told(server: Server) -> None:
    def at_noon() -> Any:
        numbers = count(1)
        return replace(
            server.office.served.desk,
            ledger=ListLedger(),
            now=lambda: NOON,
            new_id=lambda now: f"id-{next(numbers)}",
            drawn=lambda quote_id: quote_id.endswith("3"),
        )

    bodies = [varied(body, {at}) for at, body in enumerate(KINDS * 2)]
    single, together = at_noon(), at_noon()
    alone = [asyncio.run(single.quote(one, LOCAL, f"k{at}")).body for at, one in enumerate(bodies)]
    batch = asyncio.run(together.batch({"quotes": bodies}, LOCAL, "k")).body
    results = [orjson.Fragment(body) for body in alone]
    assert batch == orjson.dumps({"results": [{"status": 201, "quote": one} for one in results]})
