"""What the models page says of the registry and of the challenger, state by state."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np

from models import artifact, keys, statement
from models.copies import Pointer
from serving import comparisons, watch
from serving.access.caller import LOCAL
from serving.app import Server, clock
from serving.comparisons import Comparison
from serving.console.dossier import Archive
from serving.console.words import catalogue
from serving.watch import Refusal, Standing
from tests.serving import small_model
from tests.serving.console.test_house import Browser

EN, ZH = catalogue("en"), catalogue("zh")
OFF = Standing(watch.OFF, clock())


def page(server: Server, language: str = "en") -> str:
    browser = Browser(server)
    browser.sign_in()
    answer = browser.get(f"/console/models?language={language}")
    assert answer.status == 200
    return answer.body.decode().replace("&#39;", "'")


def told(server: Server, standing: Standing) -> str:
    """Return the page of a server whose watch knows this."""
    server.office.standing = lambda: {"champion": standing.document()}
    return page(server)


def test_a_server_without_a_registry_says_so(shadowed: Server) -> None:
    found = told(shadowed, shadowed.champion.standing)
    assert EN("registry.none") in found
    assert EN("registry.state_off") in found
    assert EN("registry.asked") not in found
    assert ZH("registry.none") in page(shadowed, "zh")


def test_a_registry_is_told_as_the_watch_has_seen_it(shadowed: Server) -> None:
    seen = replace(OFF, registry=watch.OK, asked=clock(), named="3", version="3", swaps=2)
    found = told(shadowed, seen)
    assert EN("registry.state_ok") in found
    assert f"{seen.asked:%Y-%m-%d %H:%M:%S}" in found
    assert 'role="alert"' not in found
    unnamed = told(shadowed, replace(seen, named=""))
    assert EN("registry.unnamed", alias="champion") in unnamed
    fetching = told(shadowed, replace(seen, named="4"))
    assert EN("registry.under_way", version="4") in fetching
    stale = told(shadowed, replace(seen, registry=watch.STALE))
    assert EN("registry.stale_text", since=f"{seen.since:%Y-%m-%d %H:%M:%S}") in stale
    refusal = Refusal("4", "a" * 64, clock(), "4 must be signed, however: ''")
    refused = told(shadowed, replace(seen, named="4", refused=refusal, stands=True, refusals=1))
    assert EN("registry.refused", version="4") in refused
    assert "4 must be signed" in refused
    assert 'role="alert"' in refused
    over = told(shadowed, replace(seen, refused=refusal, refusals=1))
    assert 'role="alert"' not in over
    assert "4 must be signed" in over


def test_each_state_of_the_challenger_has_its_words(
    server: Server, shadowed: Server, other: Path
) -> None:
    assert EN("challenger.state_off") in page(server)  # it draws no quotes
    assert EN("challenger.state_none") in page(shadowed)
    shadowed.shadow.serve(artifact.read(other))
    assert EN("challenger.state_waits") in page(shadowed)
    shadowed.shadow.serve(artifact.read(next(shadowed.settings.models.glob("?" * 64))))
    assert EN("challenger.state_champion") in page(shadowed)
    shadowed.settings.shadow.write_bytes(b"no database" * 100)
    assert EN("challenger.unreadable") in page(shadowed)


def row(
    server: Server, other: Path, number: int, bps: float, tenant: str = LOCAL.tenant
) -> Comparison:
    champion = server.office.served.desk.pricer.model.digest  # type: ignore[attr-defined]  # real
    kind = ("term_loan", "guarantee")[number % 2]
    prices = (500.0, 500.0 + bps)
    return Comparison(str(number), "t", kind, 3, champion, other.name, *prices, tenant)


def test_the_differences_are_those_that_are_kept_of_ones_own_quotes(
    shadowed: Server, other: Path
) -> None:
    """Mean, 95th percentile and greatest size of 1 to 40 bp: numpy's."""
    shadowed.shadow.serve(artifact.read(other))
    signed = np.arange(1.0, 41.0)
    rows = [row(shadowed, other, at, bps) for at, bps in enumerate(signed)]
    rows.append(row(shadowed, other, 99, 5000.0, tenant="another"))
    comparisons.write(shadowed.settings.shadow, rows)
    found = page(shadowed)
    assert EN("challenger.caption") in found
    assert "5,000.00" not in found
    assert found.count('<circle class="dot"') == 40
    (whole,) = re.findall(r'<tr class="sum">.*?</tr>', found, re.DOTALL)
    figures = re.findall(r'class="num">([^<]+)<', whole)
    p95 = np.percentile(signed, 95)
    assert figures == ["40", f"+{signed.mean():.2f}", f"{p95:.2f}", f"{signed.max():.2f}"]
    chinese = page(shadowed, "zh")
    assert ZH("challenger.between", low=300, high=800) in chinese
    assert ZH("kind.guarantee") in chinese


def test_differences_of_two_models_of_before_are_told_as_such(
    shadowed: Server, other: Path
) -> None:
    shadowed.shadow.serve(artifact.read(other))
    comparisons.write(
        shadowed.settings.shadow, [replace(row(shadowed, other, 1, 2.0), champion="c" * 64)]
    )
    found = page(shadowed)
    assert EN("challenger.of_before") in found
    assert EN("challenger.state_waits") in found
    assert "cccccccccccc" in found


def test_a_file_of_before_that_did_not_say_whose_is_read_and_continued(tmp_path: Path) -> None:
    old = Comparison("1", "t", "term_loan", 3, "a" * 64, "b" * 64, 500.0, 501.0)
    file = tmp_path / "shadow.db"
    names, marks = comparisons.NAMES[:-1], ", ".join("?" * 8)
    with sqlite3.connect(file) as database:
        database.execute(comparisons.TABLE.replace(", tenant TEXT NOT NULL DEFAULT ''", ""))
        values = [getattr(old, name) for name in names]
        database.execute(f"INSERT INTO comparison VALUES ({marks})", values)
    database.close()
    assert comparisons.read(file) == [old]
    new = replace(old, quote_id="2", tenant="bank")
    comparisons.write(file, [new])
    assert comparisons.read(file) == [old, new]
    assert comparisons.read(file, most=1) == [new]


def test_a_server_of_another_alias_shows_what_lets_its_own_model_serve(shadowed: Server) -> None:
    settings = replace(shadowed.settings, alias="challenger")
    key = keys.SigningKey.read(settings.var / "keys" / keys.SIGNING)
    last = Pointer.read(settings.models)
    assert last is not None
    told = small_model.said(last.digest, alias="challenger")
    replace(last, signed=statement.sign(told, key)).write(settings.models, "challenger")
    archive = Archive(settings)
    pointer = archive.pointer()
    assert pointer is not None
    decided = archive.decided(pointer)
    assert decided.statement is not None
    assert decided.statement.alias == "challenger"
