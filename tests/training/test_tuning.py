"""A bank searches its sizes by the command, and learns by what was found."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from features import sets
from features.book import read_book
from models import registry
from pricing.errors import InputError
from tests.bank import write_bank_data
from tests.training import books
from tests.training.desk import Bank
from training.split import Labels, by_time
from training.tuned import Tuned

if TYPE_CHECKING:
    from mlflow.entities import Run

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*noload:DeprecationWarning", "ignore:Operation with range:DeprecationWarning"
)
EXPERIMENT = "seedrate tuning"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Bank:
    folder = tmp_path_factory.mktemp("tuning")
    write_bank_data(folder, rows=4000)
    return Bank(folder, {"SEEDRATE_VAR": str(folder / "var"), "COLUMNS": "200"})


@pytest.fixture(scope="module", autouse=True)
def early(starting: tuple[str, Path]) -> None:
    """Let the server start while the first search goes on."""


@pytest.fixture(scope="module")
def told(desk: Bank) -> str:
    """Return what the command printed of a search of two families."""
    return tunes(desk, "--family", "boosted", "--family", "network", "--trials", "3")


def tunes(desk: Bank, *more: str, study: str = "spring") -> str:
    return desk.did("tune", *files(desk), "--folds", "2", "--study", study, *more)


def files(desk: Bank) -> tuple[str, ...]:
    folder = desk.folder
    return "--columns", str(folder / "bank.toml"), "--data", str(folder / "loans.csv")


def found(desk: Bank, study: str = "spring") -> Path:
    return desk.folder / "var" / "tuning" / study / "found"


def runs(uri: str, study: str) -> tuple[Run, list[Run]]:
    """Return the run of a search, and those of its trials."""
    with registry.client(uri) as client:
        experiment = client.get_experiment_by_name(EXPERIMENT)
        assert experiment is not None
        every = client.search_runs([experiment.experiment_id])
        (parent,) = [run for run in every if run.data.tags.get("study") == study]
        below = [
            run for run in every if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id
        ]
        return parent, below


def test_families_are_told_side_by_side_with_their_differences(told: str) -> None:
    lines = [line.split() for line in told.splitlines()]
    rows = {line[0]: line for line in lines if line and line[0] in ("boosted", "network")}
    assert set(rows) == {"boosted", "network"}
    assert all(line[1:3] == ["3", "0"] for line in rows.values())
    assert told.count("[") >= 3
    assert told.count("fit --tuned") == 2


def test_every_trial_is_a_run_below_the_one_of_its_search(desk: Bank, told: str) -> None:
    parent, below = runs(desk.uri, "spring")
    names = {run.info.run_name for run in below}
    assert names == {f"{family} {n}" for family in ("boosted", "network") for n in range(3)}
    for run in below:
        assert {"gain", "seconds", "fold/gain", "auc_36m"} <= set(run.data.metrics)
        assert run.data.tags["pruned"] == "false"
        assert run.data.metrics["seconds"] > 0
        assert run.info.status == "FINISHED"
        part = {"boosted": "default.", "network": "network."}[run.data.tags["family"]]
        assert all(key.startswith(part) for key in run.data.params)
    assert parent.info.status == "FINISHED"
    best = max(r.data.metrics["gain"] for r in below if r.data.tags["family"] == "boosted")
    assert parent.data.metrics["boosted/gain"] == best
    assert parent.data.metrics["boosted/gain_over_shipped"] == pytest.approx(
        best - Tuned.read(found(desk) / "boosted.toml").shipped_gain
    )


def test_asked_again_it_goes_on_and_records_nothing_twice(desk: Bank, told: str) -> None:
    tunes(desk, "--family", "boosted", "--trials", "4")
    names = sorted(run.info.run_name for run in runs(desk.uri, "spring")[1])
    assert names == ["boosted 0", "boosted 1", "boosted 2", "boosted 3"] + [
        f"network {n}" for n in range(3)
    ]


def test_what_was_found_says_of_what(desk: Bank, told: str) -> None:
    read = Tuned.read(found(desk) / "boosted.toml")
    data = read_book(desk.folder / "loans.csv", sets.load(desk.folder / "bank.toml"))
    parts = by_time(data)
    assert read.data == data.digest
    assert (read.study, read.family, read.labels) == ("spring", "boosted", "as_known")
    assert len(read.folds) == 2
    assert read.gain >= read.shipped_gain - 0.05
    assert Tuned.read(found(desk) / "boosted.toml").text() == read.text()
    read.check(parts)


def test_a_named_search_of_other_data_is_refused(desk: Bank, told: str, tmp_path: Path) -> None:
    write_bank_data(tmp_path, rows=4000, seed=1)
    other = ("--columns", str(tmp_path / "bank.toml"), "--data", str(tmp_path / "loans.csv"))
    wrong = desk.does("tune", *other, "--folds", "2", "--study", "spring", "--trials", "9")
    assert wrong.exit_code == 2
    assert "study: data must be" in wrong.stderr
    wrong = desk.does("tune", *files(desk), "--folds", "3", "--study", "spring", "--trials", "9")
    assert "study: folds must be" in wrong.stderr


def test_a_search_without_a_name_goes_by_what_it_is_of(desk: Bank) -> None:
    for seed in ("1", "2", "1"):
        desk.did("tune", *files(desk), "--folds", "2", "--trials", "1", "--seed", seed)
    made = {path.name for path in (desk.folder / "var" / "tuning").iterdir()} - {"spring"}
    assert len(made) == 2
    assert all(name.startswith("bank-") for name in made)


def test_the_time_is_kept(desk: Bank) -> None:
    began = time.monotonic()
    tunes(desk, "--minutes", "0.15", study="hasty")
    assert time.monotonic() - began < 9 + 30  # seconds; reading, comparing and recording included
    parent, below = runs(desk.uri, "hasty")
    assert below
    assert sum(run.data.metrics["seconds"] for run in below) < 9
    assert parent.info.status == "FINISHED"


def test_no_time_at_all_is_told(desk: Bank) -> None:
    wrong = desk.does("tune", *files(desk), "--folds", "2", "--minutes", "0", "--study", "none")
    assert wrong.exit_code == 2
    assert wrong.stderr.startswith("minutes must be enough for a trial on all folds")


def test_a_fit_by_tuned_sizes_says_where_they_come_from(desk: Bank, told: str) -> None:
    file = found(desk) / "boosted.toml"
    said = Tuned.read(file)
    desk.did("fit", *files(desk), "--quick", "--tuned", str(file))
    with registry.client(desk.uri) as client:
        version = registry.version(client, "seedrate", "latest")
        assert version is not None
        folder = registry.fetch(client, version, desk.copies)
        parameters = client.get_run(version.run_id).data.params
    card = json.loads((folder / "card.json").read_text())["parameters"]
    assert card["tuned"]["study"] == "spring"
    assert card["tuned"]["data"] == said.data
    assert tuple(card["tuned"]["folds"]) == said.folds
    assert card["default"]["l2"] == said.chosen["default.l2"]
    assert card["depths"] == [said.chosen["default.depth"]]
    assert parameters["tuned.study"] == "spring"
    page = json.loads((folder / "validation.json").read_text())["lineage"]
    origin = str(page)
    assert "tuned" in origin
    html = next((desk.folder / "var" / "artifacts").rglob("validation.html")).read_text()
    assert "rolling-origin folds inside the training window" in html


def test_a_fit_takes_what_a_search_on_a_server_has_recorded(desk: Bank, server: str) -> None:
    remote = Bank(desk.folder, {**desk.environment, "SEEDRATE_TRACKING_URI": server})
    tunes(remote, "--trials", "1", study="far")
    parent, below = runs(server, "far")
    assert [run.info.run_name for run in below] == ["boosted 0"]
    remote.did("fit", *files(desk), "--quick", "--tuned", parent.info.run_id)
    with registry.client(server) as client:
        version = registry.version(client, "seedrate", "latest")
        assert version is not None
        assert client.get_run(version.run_id).data.params["tuned.study"] == "far"


def tuned(**other: object) -> Tuned:
    """Return sizes for the small world of `books`, found before 2006."""
    plain: Mapping[str, object] = {
        "family": "boosted",
        "chosen": {"default.depth": 3},
        "study": "small",
        "data": "0" * 64,
        "column_set": "small 1",
        "columns": "0" * 64,
        "labels": "as_known",
        "folds": ("2003-01 to 2005-12",),
        "until": "2006-01",
        "seed": 20,
        "objective": "",
        "gain": 0.1,
        "shipped_gain": 0.1,
        "trials": 1,
        "pruned": 0,
    }
    return Tuned(**{**plain, **other})  # type: ignore[arg-type]  # every field has its type


@pytest.mark.parametrize(
    ("other", "field"),
    [
        ({"until": "2006-02"}, "tuned.until"),
        ({"labels": "mature"}, "tuned.labels"),
        ({"column_set": "large 1"}, "tuned.column_set"),
    ],
)
def test_sizes_that_have_seen_what_a_fit_is_judged_on_are_refused(
    other: dict[str, str], field: str
) -> None:
    parts = by_time(books.book(400))
    tuned().check(parts)
    with pytest.raises(InputError) as error:
        tuned(**other).check(parts)
    assert [fault.field for fault in error.value.faults] == [field]
    mature = replace(parts, labels=Labels.MATURE)
    tuned(labels="mature").check(mature)


def test_a_file_that_is_none_of_ours_is_refused(tmp_path: Path) -> None:
    for text, told in (("not TOML", "tuned must be a file"), ("a = 1", "tuned.a must be left out")):
        (tmp_path / "some.toml").write_text(text)
        with pytest.raises(InputError, match=told):
            Tuned.read(tmp_path / "some.toml")
    with pytest.raises(InputError, match="tuned must be a file"):
        Tuned.read(tmp_path / "absent.toml")


def test_a_family_or_a_depth_that_contradicts_the_tuned_one_is_refused(
    desk: Bank, told: str
) -> None:
    file = str(found(desk) / "network.toml")
    for more, field in ((("--family", "boosted"), "family"), (("--depth", "3"), "depth")):
        wrong = desk.does("fit", *files(desk), "--quick", "--tuned", file, *more)
        assert wrong.exit_code == 2
        assert wrong.stderr.startswith(field)
