from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson

from models.pricer import Pricer
from pricing import policy
from pricing.override import Overrides
from serving.access.caller import LOCAL
from serving.app import Server, bundle, desk
from serving.champion import champion
from serving.gate import Gate
from serving.gauges import Gauges
from tests.serving.fakes import ListLedger, Open
from tests.serving.http import ask, gate, office

BODY = orjson.loads((Path(__file__).parents[3] / "examples" / "good.json").read_bytes())
BOUNDS = {
    "anyone": {"margin_bps": (0.0, 100.0)},
    "bank": {"margin_bps": (0.0, 400.0)},
    "other": {},
}


def app(server: Server, tenant: str) -> Gate:
    model = champion(server.settings)
    rules = policy.load(server.settings.policy, currency=model.currency)
    rooms = office()
    rules = replace(rules, overrides=Overrides(BOUNDS))
    pricer = Pricer(model, rules)
    rooms.bundle = bundle(pricer, desk(pricer, ListLedger(), Gauges(), audit_share=0.0))
    return gate(rooms, guard=Open(replace(LOCAL, tenant=tenant)))


def test_the_policys_bounds_are_those_of_the_tenant(server: Server) -> None:
    for tenant, low, high in (("bank", 200, 200), ("local", 200, 422), ("other", 422, 422)):
        door = app(server, tenant)
        for asked, status in ((50, low), (300, high)):
            body = BODY | {"overrides": {"margin_bps": asked}}
            answer = ask(door, "POST", "/v1/what-if", body)
            assert answer.status == status, (tenant, asked, answer.body)


def test_a_caller_is_told_their_own_bounds_alone(server: Server) -> None:
    for tenant, told in (
        ("bank", {"margin_bps": [0.0, 400.0]}),
        ("local", {"margin_bps": [0.0, 100.0]}),
        ("other", {}),
    ):
        answer = ask(app(server, tenant), "GET", "/v1/model")
        assert answer.document["policy"]["overrides"] == told
