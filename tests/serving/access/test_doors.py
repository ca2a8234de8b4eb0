"""Every door with every credential that does not open it: nothing comes out (OWASP API1, API5)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import orjson
import pytest

from serving.access import root
from serving.access.caller import NOBODY, SCOPES, Caller
from serving.access.guard import Guard
from serving.access.key import Key
from serving.access.limits import BUDGETS
from serving.app import Server
from serving.doors import DOORS, PUBLIC, Door
from serving.gate import Gate
from serving.ledger.entry import Kept
from serving.settings import Settings
from tests.serving.access.issuer import RULES, TestIssuer
from tests.serving.fakes import REQUEST, ListLedger
from tests.serving.http import HOST, JSON, Answer, address, ask, gate, office
from tests.serving.test_gate import is_problem

ISSUER = TestIssuer.with_keys()
CLOSED = [door for door in DOORS if door.scope != PUBLIC]
SECRET = "a-project-of-the-first-tenant"
ID = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


async def bentoml(scope: Any, receive: Any, send: Any) -> None:
    """Stand where BentoML does, and say so."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"behind"})


@pytest.fixture
def guarded(tmp_path: Path) -> Settings:
    (tmp_path / "jwks.json").write_bytes(ISSUER.jwks)
    return Settings.read(
        {
            "SEEDRATE_VAR": str(tmp_path),
            "SEEDRATE_JWKS": str(tmp_path / "jwks.json"),
            "SEEDRATE_JWT_ISSUER": RULES.issuer,
            "SEEDRATE_JWT_AUDIENCE": RULES.audience,
        }
    )


@pytest.fixture
def guard(guarded: Settings) -> Iterator[Guard]:
    made = root.guard(guarded)
    yield made
    made.close()


@pytest.fixture
def app(guard: Guard) -> Gate:
    return gate(office(), guard=guard, behind=bentoml)


def key(guarded: Settings, scopes: frozenset[str], tenant: str = "bank") -> bytes:
    client = "-".join(sorted(scopes)).replace(":", ".") or "nothing"
    store = root.key_store(guarded)
    made = store.create(tenant, client, scopes, int(time.time()) + 60)
    store.close()
    return made.text.encode()


def token(scopes: frozenset[str], tenant: str = "bank") -> bytes:
    return ISSUER.token(now=time.time(), scope=" ".join(scopes), tenant=tenant)


def knock(app: Gate, door: Door, credential: bytes | None, quote_id: str = ID) -> Answer:
    headers = [HOST, JSON]
    if credential is not None:
        headers.append((b"authorization", b"Bearer " + credential))
    body: Any = {"quotes": [REQUEST]} if door.path.endswith("batch") else REQUEST
    path = address(door).replace(ID, quote_id)
    return ask(app, door.method, path, body if door.most_bytes else b"", headers)


def test_every_door_says_who_may_pass() -> None:
    assert {door.scope for door in DOORS} <= {*SCOPES, PUBLIC}
    assert {door.path for door in DOORS if door.scope == PUBLIC} == {"/livez", "/readyz"}


def test_every_address_that_answers_is_a_door(server: Server) -> None:
    assert set(server.office.answers()) == {door.path for door in DOORS if door.ours}


def test_every_budget_belongs_to_a_scope() -> None:
    assert set(BUDGETS) <= set(SCOPES)
    assert set(BUDGETS.values()) == set(Settings.read({}).access.per_minute)


def test_a_door_without_a_scope_would_let_nobody_in(guard: Guard, guarded: Settings) -> None:
    import asyncio

    everything = b"Bearer " + key(guarded, frozenset(SCOPES))
    for scope in ("", "forgotten"):
        with pytest.raises(Exception, match="must have the scope"):
            asyncio.run(guard.caller(Door("GET", "/new", scope, "New"), everything))


@pytest.mark.parametrize("door", CLOSED, ids=lambda door: f"{door.method} {door.path}")
@pytest.mark.parametrize("kind", ["key", "token"])
def test_a_door_opens_to_its_scope_and_to_no_other(
    app: Gate, guarded: Settings, door: Door, kind: str
) -> None:
    """All single scopes, and all but the door's own."""
    others = frozenset(SCOPES) - {door.scope}
    for scopes in [frozenset[str](), others, *(frozenset({one}) for one in SCOPES)]:
        credential = key(guarded, scopes) if kind == "key" else token(scopes)
        answer = knock(app, door, credential)
        if door.scope in scopes:
            nothing = ("quote_not_found", "key_not_found", "not_found")
            found = answer.status in (200, 201)
            assert found or is_problem(answer, 404, answer.document["code"])
            assert found or answer.document["code"] in nothing
            continue
        assert is_problem(answer, 403, "forbidden")
        assert f'scope="{door.scope}"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("door", CLOSED, ids=lambda door: f"{door.method} {door.path}")
@pytest.mark.parametrize(
    "credential",
    [None, b"", b"sr_live_", Key("aaaaaaaa", "A" * 43).text.encode(), b"a.b.c", b"x" * 9000],
)
def test_a_door_stays_shut_without_a_credential(
    app: Gate, door: Door, credential: bytes | None
) -> None:
    answer = knock(app, door, credential)
    assert is_problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith('Bearer realm="seedrate"')
    assert "python -m serving keys" in answer.document["detail"]


@pytest.mark.parametrize("door", DOORS, ids=lambda door: f"{door.method} {door.path}")
def test_without_any_key_only_the_public_doors_open(app: Gate, door: Door) -> None:
    assert (knock(app, door, None).status == 401) == (door.scope != PUBLIC)


def test_other_schemes_and_a_second_header_open_nothing(app: Gate, guarded: Settings) -> None:
    good = key(guarded, frozenset(SCOPES))
    for headers, status in (
        ([(b"authorization", b"Basic " + good)], 401),
        ([(b"authorization", good)], 401),
        ([(b"x-api-key", good)], 401),
        ([(b"cookie", b"authorization=Bearer " + good)], 401),
        ([(b"authorization", b"Bearer  " + good)], 401),
        ([(b"authorization", b"Bearer " + good + b" ")], 401),
        ([(b"authorization", b"Bearer " + good)] * 2, 400),
        ([(b"authorization", b"bearer " + good)], 200),  # a scheme's case is free (RFC 9110)
    ):
        assert ask(app, "GET", "/v1/model", b"", [HOST, *headers]).status == status, headers


def test_who_may_not_ask_need_not_send_a_body_first(app: Gate) -> None:
    answer = ask(app, "POST", "/v1/quotes", chunks=[b" " * 99_999], headers=[HOST, JSON])
    assert is_problem(answer, 401, "unauthenticated")  # and not 413


def test_a_quote_is_there_for_its_tenant_alone(guard: Guard, guarded: Settings) -> None:
    app = gate(office(ListLedger()), guard=guard)
    assert foreign_ids_leak(app, guarded) == []


def test_the_same_with_the_real_ledger(server: Server, guard: Guard, guarded: Settings) -> None:
    app = Gate(
        ours=server.office.app(),
        behind=None,
        guard=guard,
        admission=server.admission,
        hosts=frozenset({"localhost"}),
        timeout_seconds=10,
        observe=server.gauges.request,
        new_error_id=lambda: "e1",
    )
    assert foreign_ids_leak(app, guarded, body=example()) == []


def example() -> Any:
    return orjson.loads((Path(__file__).parents[3] / "examples" / "good.json").read_bytes())


def foreign_ids_leak(app: Gate, guarded: Settings, body: Any = REQUEST) -> list[str]:
    """Let three tenants record quotes, and each ask for all; return what they should not see."""
    tenants = ("bank", "bank2", "local")
    keys = {tenant: key(guarded, frozenset(SCOPES), tenant) for tenant in tenants}
    given: dict[str, list[bytes]] = {}
    for tenant, text in keys.items():
        sent = [HOST, JSON, (b"authorization", b"Bearer " + text)]
        single = ask(app, "POST", "/v1/quotes", body | {"reference": SECRET}, sent)
        assert single.status == 201
        batch = ask(app, "POST", "/v1/quotes/batch", {"quotes": [body]}, sent).document
        quotes = [single.document, batch["results"][0]["quote"]]
        given[tenant] = [quote["quote_id"].encode() for quote in quotes]
    leaks = []
    for owner, asker in [*combinations(tenants, 2), *combinations(reversed(tenants), 2)]:
        for quote_id in given[owner]:
            answer = quote_of(app, quote_id, keys[asker])
            if answer.status != 404 or SECRET.encode() in answer.body:
                leaks.append(f"{asker} saw {quote_id!r} of {owner}")
    for tenant in tenants:  # and each sees its own
        own = [quote_of(app, one, keys[tenant]).status for one in given[tenant]]
        assert own == [200, 200], tenant
    return leaks


def quote_of(app: Gate, quote_id: bytes, text: bytes) -> Answer:
    """Return the quote; a receipt must be there exactly when the quote is."""
    sent = [HOST, (b"authorization", b"Bearer " + text)]
    receipt = ask(app, "GET", f"/v1/quotes/{quote_id.decode()}/receipt", b"", sent)
    quote = ask(app, "GET", f"/v1/quotes/{quote_id.decode()}", b"", sent)
    assert receipt.status == quote.status
    return quote


def test_a_foreign_id_looks_like_one_that_never_was(app: Gate, guarded: Settings) -> None:
    first, second = (key(guarded, frozenset(SCOPES), one) for one in ("first", "second"))
    sent = [HOST, JSON, (b"authorization", b"Bearer " + first)]
    quote_id = ask(app, "POST", "/v1/quotes", REQUEST, sent).document["quote_id"].encode()
    foreign, absent = (quote_of(app, one, second) for one in (quote_id, ID.encode()))
    for answer in (foreign, absent):
        del answer.headers["x-request-id"]  # no two are alike
    assert (foreign.status, foreign.body, foreign.headers) == (
        absent.status, absent.body, absent.headers
    )  # fmt: skip


def test_a_leak_would_be_noticed(guard: Guard, guarded: Settings) -> None:
    class Careless(ListLedger):
        async def find(self, tenant: str, quote_id: str) -> Kept | None:
            tenants = {one.tenant for one in self.entries}
            found = [await ListLedger.find(self, one, quote_id) for one in sorted(tenants)]
            return next(filter(None, found), None)

    app = gate(office(Careless()), guard=guard)
    assert len(foreign_ids_leak(app, guarded)) == 12


def test_a_tenant_is_limited_and_the_others_are_not(guarded: Settings) -> None:
    limited = Settings.read({"SEEDRATE_VAR": str(guarded.var), "SEEDRATE_LIMIT_PRICE": "5"})
    guard = root.guard(limited)
    app = gate(office(), guard=guard)
    doors = {door.path: door for door in DOORS}
    first, second = (key(guarded, frozenset(SCOPES), one) for one in ("first", "second"))
    price = doors["/v1/quotes"]
    assert [knock(app, price, first).status for _ in range(7)] == [201] * 5 + [429] * 2
    answer = knock(app, price, first)
    assert is_problem(answer, 429, "too_many_requests")
    assert 1 <= int(answer.headers["retry-after"]) <= 120
    assert is_problem(knock(app, doors["/v1/quotes/batch"], first), 429, "too_many_requests")
    assert knock(app, doors["/v1/what-if"], first).status == 200
    assert knock(app, price, second).status == 201
    guard.close()


def test_a_request_that_fails_is_under_way_no_more(guarded: Settings) -> None:
    limited = Settings.read({"SEEDRATE_VAR": str(guarded.var), "SEEDRATE_LIMIT_AT_ONCE": "1"})
    guard = root.guard(limited)
    app, text = gate(office(), guard=guard), key(guarded, frozenset(SCOPES))
    sent = [HOST, JSON, (b"authorization", b"Bearer " + text)]
    bad = REQUEST | {"project": REQUEST["project"] | {"city": "Crash"}}
    for _ in range(3):
        assert ask(app, "POST", "/v1/quotes", bad, sent).status == 500
        assert ask(app, "POST", "/v1/quotes", b"{", sent).status == 400
    assert ask(app, "POST", "/v1/quotes", REQUEST, sent).status == 201
    guard.close()


def test_past_the_gate_there_is_a_caller_and_no_credential(guard: Guard, guarded: Settings) -> None:
    seen: list[Any] = []

    async def inside(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["state"]["caller"], [name for name, _ in scope["headers"]]))
        await bentoml(scope, receive, send)

    app = gate(office(), guard=guard, ours=inside, behind=inside)
    text = key(guarded, frozenset({"price"}))
    for path in ("/v1/quotes", "/quote"):
        sent = [HOST, JSON, (b"authorization", b"Bearer " + text)]
        assert ask(app, "POST", path, REQUEST, sent).status == 200
    assert (
        ask(app, "GET", "/livez", b"", [HOST, (b"authorization", b"Bearer " + text)]).status == 200
    )
    bank = Caller("bank", "price", frozenset({"price"}))
    names = [b"host", b"content-type", b"idempotency-key"]
    assert seen == [(bank, names), (bank, names), (NOBODY, [b"host"])]
