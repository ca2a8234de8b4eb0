from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.book import CENSORED, DEFAULTED, EXITED
from pricing.errors import InputError
from pricing.survival import DEFAULT, EXIT, LGD, incidence
from tests.training import books
from tests.training.test_boost import splits
from training.fit import Fitted, fit
from training.options import Options
from training.split import Labels
from training.trees import Trees

SMALL = Options(
    default=Trees(2, 20, 3, 0.2),
    depths=(3,),
    exit=Trees(1, 10, 2, 0.2),
    lgd=Trees(1, 10, 2, 0.2),
    background=700,
)


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return fit(books.book(6000), SMALL)


def test_the_same_options_fit_the_same_model(fitted: Fitted, tmp_path: Path) -> None:
    assert fitted.write(tmp_path / "one") == fit(books.book(6000), SMALL).write(tmp_path / "two")
    other = fit(books.book(6000), replace(SMALL, seed=21))
    assert other.write(tmp_path / "three") != fitted.write(tmp_path / "four")


def test_every_cause_has_its_bag(fitted: Fitted) -> None:
    assert {cause: len(bag.boosters) for cause, bag in fitted.causes.bags.items()} == {
        "default": 2,
        "exit": 1,
        "lgd": 1,
    }
    x = fitted.encoder.matrix(fitted.split.test.frame)
    margins = fitted.margins(x)
    assert margins.shape == (len(x), 3, len(books.EDGES) - 1)
    assert np.isfinite(margins).all()


def test_the_exit_bag_asks_free_columns_only(fitted: Fitted) -> None:
    asked = {column for columns, _ in splits(fitted.causes.bags["exit"]) for column in columns}
    signed = {i for i, column in enumerate(books.COLUMNS) if column.direction.sign}
    assert not asked & signed


def test_the_overlay_stands_apart_from_the_trees(fitted: Fitted) -> None:
    level = fitted.card["level"]
    assert (fitted.overlay[DEFAULT] == level["shift"]).all()
    assert not fitted.overlay[[EXIT, LGD]].any()
    assert (level["from"], level["to"]) == ("2004-01", "2006-01")


def test_mature_labels_are_recorded_and_get_no_overlay() -> None:
    mature = fit(books.book(6000), replace(SMALL, labels=Labels.MATURE))
    assert mature.card["split"]["labels"] == "mature"
    assert not mature.overlay.any()


def test_the_background_is_of_quotable_training_projects(fitted: Fitted) -> None:
    assert fitted.background.shape == (700, len(books.COLUMNS))
    everyone = fitted.encoder.matrix(fitted.split.train.frame)
    rows = {row.tobytes() for row in everyone}
    assert {row.tobytes() for row in fitted.background} <= rows
    assert (fitted.background_weight > 0).all()
    riskiest = replace(SMALL, riskiest_background=0.10)
    careful = fit(books.book(6000), riskiest)
    pd = incidence(careful.margins(careful.background), books.EDGES, 36)[:, 36]
    assert pd.max() < 0.2  # its own cells are encoded out of fold, the quote's are not
    assert incidence(fitted.margins(fitted.background), books.EDGES, 36)[:, 36].max() > 0.3


def test_a_book_without_exits_has_no_exit_hazard() -> None:
    book = books.book(6000)
    staying = replace(book, event=np.where(book.event == EXITED, CENSORED, book.event))
    plain = fit(staying, SMALL)
    assert "exit" not in plain.causes.bags
    assert "exit" not in plain.causes.constants
    assert np.isneginf(plain.margins(plain.background)[:, EXIT]).all()


def test_a_few_exits_have_one_constant_hazard() -> None:
    book = books.book(6000)
    event = book.event.copy()
    event[np.flatnonzero(event == EXITED)[50:]] = CENSORED
    few = fit(replace(book, event=event), SMALL)
    train = few.split.train
    months = train.exposure(books.EDGES)[0].sum()
    exits = train.exposure(books.EDGES)[2].sum()
    assert few.causes.constants["exit"] == pytest.approx(np.log(exits / months), rel=1e-12)


def test_too_few_defaults_are_refused() -> None:
    book = books.book(6000)
    event = book.event.copy()
    event[np.flatnonzero(event == DEFAULTED)[10:]] = CENSORED
    with pytest.raises(InputError, match="at least 30"):
        fit(replace(book, event=event), SMALL)


def test_scaling_every_weight_changes_nothing() -> None:
    book = books.book(6000)
    dear = fit(replace(book, weight=book.weight * 16), SMALL)
    once = fit(book, SMALL)
    assert dear.causes.bags["default"].boosters == once.causes.bags["default"].boosters


def test_the_card_is_json_and_says_how_it_was_made(fitted: Fitted) -> None:
    card = json.loads(json.dumps(fitted.card, allow_nan=False))
    assert card["split"] == {
        "train_from": "2000-01",
        "test_from": "2006-01",
        "test_to": "2007-01",
        "labels": "as_known",
    }
    assert card["sizes"]["default"]["how"].startswith("fixed: fewer than 300 events")
    assert card["parameters"]["default"]["members"] == 2
    assert card["counts"]["train"]["projects"] == len(fitted.split.train)
    assert card["data"]["digest"] == "0" * 64


def test_progress_counts_up_to_its_total() -> None:
    heard: list[tuple[str, int, int]] = []
    fit(books.book(6000), SMALL, lambda *step: heard.append(step))
    done, totals = [step[1] for step in heard], {step[2] for step in heard}
    assert done == list(range(1, len(heard) + 1))
    assert totals == {done[-1]}
