"""Dictionary, ledger, models and promotions without a browser."""

from __future__ import annotations

import re
import shlex
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from typer.main import get_command

import training.__main__ as commands
from models import copies
from models.pricer import Pricer
from serving.access.audit import Event
from serving.access.caller import Caller
from serving.access.store import KeyStore
from serving.app import Server
from serving.console.dependence import dependence
from serving.console.dossier import Archive, Dossier
from serving.console.pages.ledger import attested
from serving.console.pages.promotions import PromotionsPage, runner
from serving.console.proposals import EXPIRES_SECONDS, RUN_SECONDS, RUNNING, Proposals
from serving.console.recheck import Rechecked, recheck
from serving.console.seen import FIRST, FORKED, GROWN, SAME, Seen
from serving.console.weighing import Pending, Weighed, Weighings, decoded, weighed
from serving.console.words import catalogue
from serving.ledger.anchors import Anchors, Evidence
from serving.ledger.sqlite import SqliteStore
from serving.ledger.tiles import Tiles
from tests.serving.console.test_house import Browser, key_of, token_of
from tests.serving.ledger import books
from training.gates import Gate

EN = catalogue("en")
ANN, BOB = (Caller("bank", name, frozenset({"promote"})) for name in ("ann", "bob"))


@pytest.fixture
def browser(server: Server) -> Browser:
    made = Browser(server)
    made.sign_in()
    return made


def store_in(folder: Path) -> KeyStore:
    return KeyStore(f"sqlite:///{folder / 'access.db'}", folder / "pepper", time.time, bytes)


def shown(browser: Browser, path: str) -> str:
    answer = browser.get(path)
    assert answer.status == 200, path
    return answer.body.decode()


# the ledger


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of 1,500 quotes and its key: five full tiles, and two checkpoints or more."""
    folder = tmp_path_factory.mktemp("log")
    books.filled(folder, 700)
    with books.ledger(folder) as later:
        books.record(later, [books.entry(f"later{number}") for number in range(800)])
    return folder


def rechecked(folder: Path, **more: float) -> Rechecked:
    reader = SqliteStore(folder / "ledger.db").reader
    note = reader.checkpoint()
    assert note is not None
    try:
        return recheck(reader, note, time.monotonic, **more)  # type: ignore[arg-type]
    finally:
        reader.close()


def test_the_end_of_the_log_is_hashed_again(filled: Path) -> None:
    whole = rechecked(filled)
    assert (whole.faults, whole.low, whole.hashed, whole.tiles) == ({}, 0, 1501, 5)
    part = rechecked(filled, most=300)
    assert (part.faults, part.low, part.hashed) == ({}, 1024, 477)
    none = rechecked(filled, seconds=-1.0)
    assert (none.faults, none.low, none.hashed) == ({}, 1501, 0)


@pytest.mark.parametrize(
    ("sql", "check"),
    [
        ("UPDATE entry SET body = CAST(body || ' ' AS BLOB) WHERE seq = 1490", "entries"),
        ("UPDATE entry SET leaf = zeroblob(32) WHERE seq = 1490", "root"),
        ("UPDATE entry SET leaf = zeroblob(32) WHERE seq = 1030", "tiles"),
        ("UPDATE tile SET data = zeroblob(8192) WHERE level = 0 AND idx = 4", "tiles"),
        ("DELETE FROM entry WHERE seq = 1499", "entries"),
        ("UPDATE checkpoint SET note = replace(note, 'bank', 'bunk')", "signed"),
    ],
)
def test_what_was_altered_is_found(filled: Path, tmp_path: Path, sql: str, check: str) -> None:
    (tmp_path / "ledger.db").write_bytes((filled / "ledger.db").read_bytes())
    books.forced(tmp_path, lambda database: database.execute(sql))
    assert check in rechecked(tmp_path, most=400).faults


def test_a_client_is_told_how_the_log_stands_to_what_they_saw(filled: Path, tmp_path: Path) -> None:
    reader = SqliteStore(filled / "ledger.db").reader
    notes = {note.split("\n")[1]: note for note in reader.signed(None, 100)}
    sizes = sorted(notes, key=int)
    old, new, tiles = notes[sizes[0]], notes[sizes[-1]], Tiles(reader)
    seen = Seen(store_in(tmp_path), time.time)
    assert seen.look(ANN, old, tiles).state == FIRST
    grown = seen.look(ANN, new, tiles)
    assert (grown.state, str(grown.old and grown.old.size)) == (GROWN, sizes[0])
    assert seen.look(ANN, new, tiles).state == SAME
    shorter = seen.look(ANN, old, tiles)
    assert (shorter.state, "must have at least" in shorter.fault) == (FORKED, True)
    assert seen.look(BOB, old, tiles).state == FIRST
    other = tmp_path / "other"  # a log of the same name and key with other entries
    (other / "ledger").mkdir(parents=True)
    (other / "ledger/signing.key").write_bytes((filled / "ledger/signing.key").read_bytes())
    (other / "ledger/signing.key").chmod(0o600)
    books.filled(other, 1600)
    rewritten = SqliteStore(other / "ledger.db").reader
    note = rewritten.checkpoint()
    assert note is not None
    for _ in range(2):  # what does not fit is not remembered in place of what does
        assert seen.look(ANN, note, Tiles(rewritten)).state == FORKED
    rewritten.close()
    reader.close()


def test_an_anchor_of_another_log_shows(filled: Path, tmp_path: Path) -> None:
    reader, anchors = SqliteStore(filled / "ledger.db").reader, Anchors(tmp_path / "anchors")
    note = reader.checkpoint()
    assert note is not None
    anchors.keep(Evidence("rfc3161", note, b"token", 1))
    origin, size, _, *rest = note.split("\n")
    forged = "\n".join([origin, size, "A" * 43 + "=", *rest])
    anchors.keep(Evidence("chain", forged, b"token", 2))
    found = attested(anchors, Tiles(reader), int(size))
    assert {one.evidence.kind: one.ours for one in found} == {"rfc3161": True, "chain": False}
    reader.close()


def test_the_ledger_page_verifies_in_place(server: Server) -> None:
    browser = Browser(server)
    browser.sign_in(key_of(server, {"console:read"}))
    first = shown(browser, "/console/ledger")
    assert EN("ledger.first") in first
    assert EN("ledger.same") in shown(browser, "/console/ledger")
    assert browser.post("/console/ledger/verify", token="0" * 64).status == 403
    answer = browser.post("/console/ledger/verify", token=token_of(browser.get("/console/ledger")))
    assert (answer.status, EN("verified.good") in answer.body.decode()) == (200, True)
    note = browser.get("/console/ledger/checkpoint").body.decode()
    assert note in first.replace("&#43;", "+").replace("&#34;", '"')


def test_a_fork_is_red(server: Server) -> None:
    browser = Browser(server)
    browser.sign_in(key_of(server, {"console:read"}))
    shown(browser, "/console/ledger")
    path = server.settings.var / "access.db"
    with sqlite3.connect(path) as database:
        longer = "replace(note, 'e' || char(10), 'e' || char(10) || '9')"
        database.execute(f"UPDATE console_seen SET note = {longer}")
    page = shown(browser, "/console/ledger")
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM console_seen")
    assert EN("ledger.forked") in page
    assert 'role="alert"' in page


# the dictionary


def test_every_column_is_told_and_found(server: Server, browser: Browser) -> None:
    pricer = server.office.served.desk.pricer
    assert isinstance(pricer, Pricer)
    page = shown(browser, "/console/columns")
    names = pricer.model.column_set.names
    assert [name for name in names if f'id="c-{name}"' not in page] == []
    assert page.count(EN("columns.protected")) == sum(
        column.protected for column in pricer.model.column_set.columns
    )
    found = shown(browser, "/console/columns?text=RUNWAY")
    assert 'id="c-runway_months"' in found
    assert 'id="c-sector"' not in found
    chinese = shown(browser, f"/console/columns?text={quote('现金跑道')}&language=zh")
    assert 'id="c-runway_months"' in chinese
    assert EN("columns.none") in shown(browser, "/console/columns?text=zzz&language=en")
    raises = shown(browser, "/console/columns?direction=raises&group=funding")
    assert re.findall(r'id="c-(\w+)"', raises) == ["months_since_round"]


# the models


@pytest.fixture(scope="module")
def explained(server: Server) -> tuple[Pricer, Weighed]:
    pricer = server.office.served.desk.pricer
    assert isinstance(pricer, Pricer)
    folder = copies.find(server.settings.models, pricer.model.digest)
    assert folder is not None
    return pricer, weighed(pricer, folder, most=40)


def test_a_background_is_weighed_in_basis_points(explained: tuple[Pricer, Weighed]) -> None:
    pricer, found = explained
    assert (found.x.shape, found.bps.shape[0], found.of) == ((40, 41), 40, 300)
    np.testing.assert_allclose(found.importance, np.abs(found.bps).mean(axis=0), rtol=1e-12)
    ranked = [pricer.model.column_set.names[at] for at in np.argsort(-found.importance)]
    assert {"runway_months", "cash_cny", "gross_margin"} & set(ranked[:3])  # what it was taught


def test_a_columns_parts_are_told_by_its_values(explained: tuple[Pricer, Weighed]) -> None:
    pricer, found = explained
    model = pricer.model
    for name in ("runway_months", "sector", "high_tech_enterprise", "cash_cny"):
        index = model.column_set.names.index(name)
        told = dependence(model, found, index, EN)
        assert sum(row.projects for row in told.rows) == len(found.x)
        mean = sum(row.projects * row.bps for row in told.rows) / len(found.x)
        assert mean == pytest.approx(float(found.bps[:, index].mean()), abs=1e-9)
        assert (told.scatter is None) == (name in ("sector", "high_tech_enterprise"))
    index = model.column_set.names.index("sector")
    level = model.column_set.columns[index].levels[3]
    assert decoded(model, index, model.encoder.levels["sector"][level]) == level


def test_a_weighing_that_cannot_be_says_so() -> None:
    weighings = Weighings()
    until = time.monotonic() + 5
    while weighings.ask("a" * 64, lambda: None) == Pending() and time.monotonic() < until:
        time.sleep(0.01)
    assert "must be here" in weighings.ask("a" * 64, lambda: None).fault  # type: ignore[union-attr]


def test_the_models_page_tells_what_serves_and_who_let_it(server: Server, browser: Browser) -> None:
    until = time.monotonic() + 20
    while "ann" not in (page := shown(browser, "/console/models")) and time.monotonic() < until:
        time.sleep(0.2)  # the log is told behind the quotes
    pricer = server.office.served.desk.pricer
    assert isinstance(pricer, Pricer)
    digest = pricer.model.digest
    assert EN("models.serves") in page
    assert f"/console/models/{digest}" in page
    assert "ann" in page  # of the signed statement, by way of the log
    one = shown(browser, f"/console/models/{digest}?column=sector")
    assert EN("models.signature_good") in one
    until = time.monotonic() + 60
    while EN("models.weighing") in one and time.monotonic() < until:
        assert 'http-equiv="refresh"' in one
        time.sleep(0.3)
        one = shown(browser, f"/console/models/{digest}?column=sector")
    assert EN("models.dependence_table") in one
    assert 'http-equiv="refresh"' not in one
    assert EN("models.no_pack") in one
    assert browser.get(f"/console/models/{digest}/validation.json").status == 404
    assert browser.get(f"/console/models/{'0' * 64}").status == 404


def test_a_statement_that_does_not_hold_is_not_shown_as_one(server: Server, tmp_path: Path) -> None:
    archive = Archive(server.settings)
    pointer = archive.pointer()
    assert pointer is not None
    assert archive.decided(pointer).fault == ""
    altered = type(pointer)(
        pointer.digest, pointer.name, "8", pointer.signed.replace("a test", "a jest")
    )
    assert "altered" in archive.decided(altered).fault


def test_figures_are_those_of_the_card() -> None:
    value = {"value": 0.8, "low": 0.7, "high": 0.9}
    card = {"metrics": {"auc_12m": value, "auc_36m": value, "log_loss_36m": value, "odd": value}}
    dossier = Dossier("0" * 64, card, {"leakage": {"light": "red", "verdict": "One knows."}})
    assert dossier.horizons == [12, 36]
    assert dossier.figures == [("auc", [value, value]), ("log_loss", [None, value])]
    assert dossier.sections == [("leakage", "red", "One knows.")]


# promotions


class Notes:
    """An audit in memory."""

    def __init__(self) -> None:
        self.kinds: list[str] = []

    def note(self, event: Event) -> None:
        self.kinds.append(event.kind)


def test_two_persons_agree_and_one_cannot(server: Server) -> None:
    one, other = (Browser(server) for _ in range(2))
    one.sign_in(key_of(server, {"console:read", "promote"}))
    other.sign_in(key_of(server, {"console:read", "promote"}))
    page = one.get("/console/promotions")
    told = {"token": token_of(page), "act": "promote", "version": "7", "reason": "yearly; rm -rf"}
    assert one.post("/console/promotions", **{**told, "token": "0" * 64}).status == 403
    wrong = one.post("/console/promotions", **{**told, "version": "latest", "reason": ""})
    assert wrong.status == 422
    assert wrong.body.decode().count('class="fault"') == 2
    made = one.post("/console/promotions", **told)
    assert made.status == 303
    here = made.headers["location"]
    assert EN("promotions.waits_for_another") in shown(one, here)
    mine = one.post(here, token=told["token"], decision="agree")
    assert (mine.status, EN("promotions.same_person") in mine.body.decode()) == (409, True)
    token = token_of(other.get(here))
    assert other.post(here, token=token, decision="agree").status == 303
    late = other.post(here, token=token, decision="decline")
    assert (late.status, EN("promotions.too_late") in late.body.decode()) == (409, True)
    page_ = shown(other, here)
    assert EN("promotions.text_agreed") in page_
    assert "--reason=yearly; rm -rf&#39;" in page_  # quoted, as a shell reads it
    noted = (server.settings.var / "audit.jsonl").read_text("utf-8")
    for kind in ("promotion_proposed", "promotion_refused", "promotion_agreed"):
        assert f'"kind":"{kind}"' in noted


def test_who_may_not_promote_sees_nothing_of_it(server: Server) -> None:
    browser = Browser(server)
    browser.sign_in(key_of(server, {"console:read"}))
    assert browser.get("/console/promotions").status == 404
    assert "/console/promotions" not in shown(browser, "/console/models")


@pytest.mark.parametrize(
    ("code", "state"), [(0, "done"), (2, "refused"), (1, "failed"), (-9, "failed")]
)
def test_what_the_command_says_is_kept(tmp_path: Path, code: int, state: str) -> None:
    gate = Gate("AUC at 36 months", passed=False, figure="0.61", needed="0.75 or more")
    asked: list[Sequence[str]] = []

    def run(arguments: Sequence[str]) -> tuple[int, str]:
        asked.append(arguments)
        return code, f"seedrate version 7 may not serve:\n  {gate}\n"

    proposals, notes = Proposals(store_in(tmp_path), time.time), Notes()
    page = PromotionsPage(proposals, notes, run)
    number = proposals.propose(ANN, "promote", "7", "yearly")
    assert not proposals.decide(number, ANN, RUNNING)
    assert proposals.decide(number, BOB, RUNNING)
    assert not proposals.decide(number, BOB, RUNNING)
    page._carry_out(number)
    found = proposals.find(number)
    assert found is not None
    assert (found.state, found.gates) == (state, [str(gate)])
    assert asked == [["promote", "7", "--reason=yearly", "--by=bank/ann, agreed by bank/bob"]]
    assert notes.kinds == ["promotion_done" if code == 0 else "promotion_not_done"]


def test_what_nobody_decides_on_expires_and_what_never_ends_is_lost(tmp_path: Path) -> None:
    now = 1_000_000.0
    proposals = Proposals(store_in(tmp_path), lambda: now)
    number, other = (proposals.propose(ANN, "rollback", "", "prices off") for _ in range(2))
    assert proposals.decide(other, BOB, RUNNING)
    now += RUN_SECONDS + 60
    assert [one.state for one in proposals.newest()] == ["lost", "proposed"]
    now += EXPIRES_SECONDS
    assert not proposals.decide(number, BOB, RUNNING)
    assert [one.state for one in proposals.newest()] == ["lost", "expired"]


@pytest.mark.parametrize(("act", "version"), [("promote", "7"), ("rollback", "")])
def test_the_command_is_one_that_training_has(tmp_path: Path, act: str, version: str) -> None:
    proposals = Proposals(store_in(tmp_path), time.time)
    one = proposals.find(proposals.propose(ANN, act, version, "it's --override time"))
    assert one is not None
    assert shlex.split(one.command) == ["python", "-m", "training", *one.arguments]
    name, *rest = one.arguments
    command = get_command(commands.app).commands[name]  # type: ignore[attr-defined]
    with command.make_context(name, list(rest)) as context:
        assert context.params["reason"] == "it's --override time"
        assert context.params["by"] == "bank/ann, agreed by …"
        assert context.params.get("override") is None


def test_the_real_command_refuses_in_words(server: Server) -> None:
    code, output = runner(server.settings)(["promote", "7", "--reason=x", "--by=ann"])
    assert code == 2, output
    assert "SEEDRATE_TRACKING_URI" in output  # the tests' server asks no registry
