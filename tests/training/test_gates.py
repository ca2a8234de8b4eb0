from __future__ import annotations

import json
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
from tests.training.books import book
from training import gates
from training.fit import fit
from training.gates import Gate
from training.options import Options
from training.trees import Trees

SMALL = Options(
    default=Trees(members=1, rounds=10, depth=3, learning_rate=0.2),
    depths=(3,),
    exit=Trees(members=1, rounds=5, depth=2, learning_rate=0.2),
    lgd=Trees(members=1, rounds=5, depth=2, learning_rate=0.2),
    background=500,
)


def measured(value: float, low: float, high: float) -> dict[str, float]:
    return {"value": value, "low": low, "high": high}


GOOD: dict[str, Any] = {
    "metrics": {f"{name}_36m": measured(0.7, 0.6, 0.8) for name in gates.NEEDED},
    "gains": {
        "auc_36m": measured(0.01, 0.002, 0.02),
        "log_loss_36m": measured(-0.01, -0.02, -0.002),
    },
}


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
    golden.add(folder, model, asked, policy.text(currency="EUR"))
    return folder


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> str:
    card = json.loads((folder / "card.json").read_text())
    change(card)
    (folder / "card.json").write_text(json.dumps(card))
    return artifact.seal(folder)


def failed(folder: Path, digest: str) -> list[Gate]:
    return [gate for gate in gates.ask(folder, digest) if not gate.passed]


@pytest.fixture
def folder(sealed: Path, tmp_path: Path) -> Path:
    """Return a copy that a test may spoil."""
    return Path(shutil.copytree(sealed, tmp_path / "model"))


def test_a_sound_model_passes(folder: Path) -> None:
    answers = gates.ask(folder, artifact.verify(folder))
    assert len(answers) == 6
    assert not [gate for gate in answers if not gate.passed]


def test_an_altered_file_stops_at_once(folder: Path) -> None:
    digest = artifact.verify(folder)
    (folder / "default-0.txt").write_text("tree")
    (gate,) = gates.ask(folder, digest)
    assert not gate.passed
    assert gate.final
    assert "default-0.txt must have SHA-256" in gate.figure


def test_a_model_without_golden_vectors_is_final(folder: Path) -> None:
    (folder / golden.FILE).unlink()
    (gate,) = failed(folder, artifact.seal(folder))
    assert gate.name == "golden vectors"
    assert gate.final


def test_a_benchmark_that_may_be_as_good_is_named_with_the_interval(folder: Path) -> None:
    def tie(card: dict[str, Any]) -> None:
        card["gains"]["auc_36m"] = measured(0.01, -0.001, 0.02)

    (gate,) = failed(folder, rewrite(folder, tie))
    assert gate.figure == "+0.0100 [-0.0010, +0.0200]"
    assert not gate.final


def test_a_higher_log_loss_is_no_gain(folder: Path) -> None:
    def worse(card: dict[str, Any]) -> None:
        card["gains"]["log_loss_36m"] = measured(0.01, 0.002, 0.02)

    (gate,) = failed(folder, rewrite(folder, worse))
    assert gate.name.startswith("log loss")


def test_metrics_that_were_not_measured_are_asked_for(folder: Path) -> None:
    def without(card: dict[str, Any]) -> None:
        card["metrics"]["auc_36m"]["low"] = None
        card["gains"].clear()

    names = [gate.figure for gate in failed(folder, rewrite(folder, without))]
    assert names == ["no auc_36m", "not measured", "not measured"]


def test_a_column_that_moves_the_wrong_way_is_named(folder: Path) -> None:
    columns = folder / "columns.toml"
    text = columns.read_text()
    turned = text.replace('direction = "raises"', 'direction = "lowers"', 1)
    assert turned != text
    columns.write_text(turned)
    (gate,) = failed(folder, artifact.seal(folder))
    assert gate.figure.endswith("most of debt")
    assert not gate.final
