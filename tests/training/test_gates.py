from __future__ import annotations

import itertools
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from features.book import Book
from features.column import Outcome
from models import artifact, golden
from pricing import policy
from pricing.schedule import Terms
from serving.console.phrases import phrase
from tests.training.books import book
from training import gates, rules
from training.fit import fit
from training.gates import Around, Gate
from training.metrics import METRICS
from training.options import Options
from training.rules import Rules, Slack, Validation
from training.trees import Trees

SMALL = Options(
    default=Trees(members=1, rounds=10, depth=3, learning_rate=0.2),
    depths=(3,),
    exit=Trees(members=1, rounds=5, depth=2, learning_rate=0.2),
    lgd=Trees(members=1, rounds=5, depth=2, learning_rate=0.2),
    background=500,
)


RULES = rules.load()
CHAMPION = "c" * 64


def measured(value: float, low: float, high: float) -> dict[str, float]:
    return {"value": value, "low": low, "high": high}


BETTER = {
    "auc_36m": measured(0.01, 0.002, 0.02),
    "log_loss_36m": measured(-0.01, -0.02, -0.002),
}
GOOD: dict[str, Any] = {
    "metrics": {f"{name}_36m": measured(1.0, 0.9, 1.1) for name in METRICS},
    "gains": BETTER,
    "scorecard": {"gains": BETTER},
    "calibration": {"36m": {"ici": 0.01}},
    "interval": {"tau": 0.2, "horizon_months": 24, "coverage": 0.9, "cohorts": 80},
    "champion": {"digest": CHAMPION, "gains": BETTER},
}
SECTIONS = RULES.validation.sections if RULES.validation else ()
LIGHTS = {name: {"light": "green"} for name in SECTIONS}
AROUND = Around(CHAMPION, frozenset(RULES.pack.run if RULES.pack else ()))


def declared(loans: Book) -> Book:
    """Return the book with a column set that a TOML file could hold."""
    columns = tuple(
        replace(column, unit="1", reason="it does" if column.direction.sign else "")
        for column in loans.column_set.columns
    )
    outcome = Outcome("a", "b", "c", "d")
    return replace(loans, column_set=replace(loans.column_set, columns=columns, outcome=outcome))


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small model that passes every gate."""
    folder = tmp_path_factory.mktemp("sealed") / "model"
    fitted = fit(declared(book(4000)), SMALL)
    fitted.write(folder)
    rewrite(folder, lambda card: card.update(GOOD))
    model = artifact.read(folder)
    terms = Terms(amount=1e6, term_months=36, repayment="linear")
    asked = [({"debt": 0.5, "must": 1.0}, terms), ({"must": 0.0}, terms)]
    (folder / "evaluation.json").write_text("[]")
    (folder / "validation.json").write_text(json.dumps(LIGHTS))
    golden.add(folder, model, asked, policy.text(currency="EUR"))
    return folder


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> str:
    card = json.loads((folder / "card.json").read_text())
    change(card)
    (folder / "card.json").write_text(json.dumps(card))
    return artifact.seal(folder)


def failed(folder: Path, digest: str, ruled: Rules = RULES, around: Around = AROUND) -> list[Gate]:
    return [gate for gate in gates.ask(folder, digest, ruled, around) if not gate.passed]


@pytest.fixture
def folder(sealed: Path, tmp_path: Path) -> Path:
    """Return a copy that a test may spoil."""
    return Path(shutil.copytree(sealed, tmp_path / "model"))


def test_a_sound_model_passes(folder: Path) -> None:
    answers = gates.ask(folder, artifact.verify(folder), RULES, AROUND)
    assert len(answers) == 20
    assert not [gate for gate in answers if not gate.passed]


def test_every_gate_is_known_in_chinese(folder: Path) -> None:
    for gate in gates.ask(folder, artifact.verify(folder), RULES, AROUND):
        told = re.sub(r"AUC|ICI|bp|[0-9a-f]{12}|[0-9.]+e[-+][0-9]+", "", phrase(str(gate), "zh"))
        assert not re.search("[A-Za-z]{2,}", told), str(gate)


def test_only_the_final_gates_cannot_be_left_out(folder: Path) -> None:
    digest = artifact.verify(folder)
    least = gates.ask(folder, digest, Rules("none", "1", 36), AROUND)
    assert [gate.name for gate in least] == ["files", "golden vectors", "parts less price"]
    assert all(gate.final for gate in least)
    assert gates.ask_final(folder, digest) == least


def test_an_altered_file_stops_at_once(folder: Path) -> None:
    digest = artifact.verify(folder)
    (folder / "default-0.txt").write_text("tree")
    (gate,) = gates.ask(folder, digest, RULES, AROUND)
    assert not gate.passed
    assert gate.final
    assert "default-0.txt must have SHA-256" in gate.figure


def test_a_model_without_golden_vectors_is_final(folder: Path) -> None:
    (folder / golden.FILE).unlink()
    (gate,) = failed(folder, artifact.seal(folder))
    assert gate.name == "golden vectors"
    assert gate.final


def test_an_explanation_that_does_not_add_up_is_final(folder: Path) -> None:
    model = artifact.read(folder)
    assert gates.additive(model, folder).passed
    cells = model.tables.cells.copy()
    cells += 1e-6  # of a log-hazard, in every Shapley table
    gate = gates.additive(replace(model, tables=replace(model.tables, cells=cells)), folder)
    assert not gate.passed
    assert gate.final
    assert "parts must sum to the price" in gate.figure


def test_a_benchmark_that_may_be_as_good_is_named_with_the_interval(folder: Path) -> None:
    def tie(card: dict[str, Any]) -> None:
        card["gains"] = BETTER | {"auc_36m": measured(0.01, -0.001, 0.02)}

    (gate,) = failed(folder, rewrite(folder, tie))
    assert gate.name == "AUC at 36 months, less the linear benchmark's"
    assert gate.figure == "+0.0100 [-0.0010, +0.0200]"
    assert not gate.final


def test_a_higher_log_loss_is_no_gain(folder: Path) -> None:
    def worse(card: dict[str, Any]) -> None:
        card["gains"] = BETTER | {"log_loss_36m": measured(0.01, 0.002, 0.02)}

    (gate,) = failed(folder, rewrite(folder, worse))
    assert gate.name.startswith("log loss")


def test_metrics_that_were_not_measured_are_asked_for(folder: Path) -> None:
    def without(card: dict[str, Any]) -> None:
        card["metrics"]["auc_36m"]["low"] = None
        card["gains"].clear()

    names = [gate.figure for gate in failed(folder, rewrite(folder, without))]
    assert names == ["no auc_36m", "not measured", "not measured"]


@pytest.mark.parametrize(("low", "passes"), [(-0.009, True), (-0.011, False)])
def test_a_refit_may_be_worse_than_the_champion_by_as_much_as_the_rules_say(
    folder: Path, low: float, passes: bool
) -> None:
    def close(card: dict[str, Any]) -> None:
        card["champion"]["gains"] = BETTER | {"auc_36m": measured(0.0, low, 0.01)}

    assert RULES.champion is not None
    assert RULES.champion.auc_worse_by == 0.01
    answers = failed(folder, rewrite(folder, close))
    assert [gate.name for gate in answers] == (
        [] if passes else ["AUC at 36 months, less the champion's"]
    )


def test_rules_may_ask_that_the_champion_is_beaten(folder: Path) -> None:
    def close(card: dict[str, Any]) -> None:
        card["champion"]["gains"] = BETTER | {"auc_36m": measured(0.01, -0.001, 0.02)}

    digest = rewrite(folder, close)
    assert not failed(folder, digest)
    (gate,) = failed(folder, digest, replace(RULES, champion=Slack(0.0, 0.0)))
    assert gate.needed == "above 0 with its whole 90 % interval"


def test_a_champion_that_the_model_has_not_met_asks_for_another_fit(folder: Path) -> None:
    digest = artifact.verify(folder)
    (gate,) = failed(folder, digest, around=replace(AROUND, champion="d" * 64))
    assert str(gate) == (
        "the champion it was judged beside must be the present one, dddddddddddd: fit again, "
        "beside it, however: cccccccccccc"
    )
    (gate,) = failed(folder, rewrite(folder, lambda card: card.update(champion=None)))
    assert gate.figure == "none"


def test_without_a_champion_or_for_the_champion_itself_nobody_is_met(folder: Path) -> None:
    digest = rewrite(folder, lambda card: card.update(champion=None))
    assert not failed(folder, digest, around=replace(AROUND, champion=None))
    assert not failed(folder, digest, around=replace(AROUND, champion=digest))


def test_a_champion_of_other_columns_was_met_without_figures(folder: Path) -> None:
    def apart(card: dict[str, Any]) -> None:
        card["champion"]["gains"] = {}

    answers = failed(folder, rewrite(folder, apart))
    assert [gate.figure for gate in answers] == ["not measured", "not measured"]


@pytest.mark.parametrize(
    ("key", "value"),
    [("observed_over_expected_36m", 1.51), ("calibration_slope_36m", 0.66)],
)
def test_a_figure_of_calibration_out_of_bounds_is_named(
    folder: Path, key: str, value: float
) -> None:
    def off(card: dict[str, Any]) -> None:
        card["metrics"][key]["value"] = value

    (gate,) = failed(folder, rewrite(folder, off))
    assert (gate.figure, gate.needed) == (f"{value:.3f}", "in [0.67, 1.5]")


def test_a_column_that_moves_the_wrong_way_is_named(folder: Path) -> None:
    columns = folder / "columns.toml"
    text = columns.read_text()
    turned = text.replace('direction = "raises"', 'direction = "lowers"', 1)
    assert turned != text
    columns.write_text(turned)
    (gate,) = failed(folder, artifact.seal(folder))
    assert gate.figure.endswith("most of debt")
    assert not gate.final


@pytest.mark.parametrize(("ms", "passes"), [(19, True), (21, False)])
def test_a_slow_price_is_named_with_its_time(folder: Path, ms: int, passes: bool) -> None:
    ticks = itertools.count(0.0, ms / 1000)  # each look at the clock is as much later
    around = replace(AROUND, seconds=lambda: next(ticks))
    answers = failed(folder, artifact.verify(folder), around=around)
    assert [gate.figure for gate in answers] == ([] if passes else ["21.00 ms, median of 10"])


def test_a_file_that_is_missing_is_named(folder: Path) -> None:
    (folder / "evaluation.json").unlink()
    run = AROUND.run - {"curves/roc.png"}
    answers = failed(folder, artifact.seal(folder), around=replace(AROUND, run=run))
    assert [gate.figure for gate in answers] == ["no evaluation.json", "no curves/roc.png"]


def test_a_scorecard_that_is_not_beaten_is_named(folder: Path) -> None:
    def tie(card: dict[str, Any]) -> None:
        card["scorecard"]["gains"]["auc_36m"] = measured(0.001, -0.001, 0.003)

    (gate,) = failed(folder, rewrite(folder, tie))
    assert gate.name == "AUC at 36 months, less the scorecard's"
    assert gate.figure == "+0.0010 [-0.0010, +0.0030]"


@pytest.mark.parametrize(
    ("section", "change", "figure", "needed"),
    [
        ("calibration", {"36m": {"ici": 0.06}}, "0.0600", "at most 0.05"),
        ("calibration", {}, "not measured", "at most 0.05"),
        ("interval", {"coverage": 0.7, "cohorts": 80}, "0.700 of 80 cohorts", "in [0.85, 0.98]"),
        ("interval", {"tau": None, "coverage": None}, "not measured", "in [0.85, 0.98]"),
    ],
)
def test_a_curve_far_off_and_an_interval_that_does_not_hold_are_named(
    folder: Path, section: str, change: dict[str, Any], figure: str, needed: str
) -> None:
    (gate,) = failed(folder, rewrite(folder, lambda card: card.update({section: change})))
    assert (gate.figure, gate.needed) == (figure, needed)
    assert not gate.final


def relit(folder: Path, lights: dict[str, Any]) -> str:
    (folder / "validation.json").write_text(json.dumps(lights))
    return artifact.seal(folder)


def test_a_section_of_the_pack_that_is_missing_or_red_is_named(folder: Path) -> None:
    lights = {**LIGHTS, "leakage": {"light": "red"}}
    del lights["fairness"]
    absent, red = failed(folder, relit(folder, lights))
    assert (absent.figure, absent.passed) == ("no fairness", False)
    assert (red.figure, red.needed) == ("leakage", "none")


def test_rules_may_let_a_red_section_pass_by_name(folder: Path) -> None:
    digest = relit(folder, {**LIGHTS, "grades": {"light": "red"}, "limits": {"light": "grey"}})
    assert [gate.figure for gate in failed(folder, digest)] == ["grades"]
    leave = Rules("own", "1", 36, validation=Validation(SECTIONS, ("grades",)))
    assert not failed(folder, digest, leave)


@pytest.mark.parametrize("text", ["", "[]", '{"leakage": 1}'])
def test_a_pack_that_cannot_be_read_has_no_sections(folder: Path, text: str) -> None:
    (folder / "validation.json").write_text(text)
    (gate,) = failed(folder, artifact.seal(folder))
    assert gate.figure == f"no {', '.join(SECTIONS)}"
