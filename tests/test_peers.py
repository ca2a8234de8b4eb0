"""The table of peers: a tiny run with what the lock has, and the steps that peers share."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.peers import Source, installed, main, measure, table, task_of
from benchmarks.rivals import PEERS
from benchmarks.task import MONTHS, Task, breslow, by_hazard
from features.book import DEFAULTED, EXITED
from training import split


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return Source("simulated", tmp_path_factory.mktemp("peers"), projects=3000)


def a_task(months: list[float], fell: list[bool]) -> Task:
    n = len(months)
    return Task(
        np.zeros((n, 1)),
        np.array(months),
        np.full(n, 5.0),
        np.array(fell),
        np.ones(n),
        np.arange(n),
        np.array([0, 2, 5]),
    )


def test_a_tiny_run_prints_a_row_a_model_with_paired_differences(source: Source) -> None:
    found = {model: measure(source, model, 1.0) for model in ("linear hazards", "scorecard")}
    linear = found["linear hazards"]
    assert linear.said["seconds"] > 0
    assert linear.said["megabytes"] > 50
    assert (np.diff(linear.pd, axis=1) >= 0).all()  # nobody is undone
    test = split.by_time(source.book, labels=source.labels).test
    head, _, *rows = table({"boosted": linear, **found}, test)
    assert "boosted less it: AUC 36" in head
    assert [row.split(" | ")[0] for row in rows] == ["| boosted", "| linear hazards", "| scorecard"]
    assert "+.0000" not in rows[1]
    assert "+0.0000 [+0.0000, +0.0000]" in rows[1]  # the same forecasts under two names
    assert "+0.0000 [+0.0000, +0.0000]" not in rows[2]


def test_what_was_found_is_kept_and_what_is_not_installed_is_named(
    source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = [model for model in PEERS if not installed(model)]
    main([source], ["linear hazards", *absent], again=False)
    first = capsys.readouterr().out
    assert "simulated: linear hazards, 100% of the projects" in first
    for model in absent:
        assert f"{model}: {PEERS[model].module} is not installed" in first
    main([source], ["linear hazards"], again=False)
    second = capsys.readouterr().out
    assert "100% of the projects" not in second
    assert "| linear hazards |" in second


def test_repaid_loans_stay_at_risk_to_the_end_of_the_follow_up(source: Source) -> None:
    parts = split.by_time(source.book, labels=source.labels)
    task, x = task_of(parts, 1.0)
    train = parts.train
    last = int((train.originated + train.age_months).max())
    kept = (train.event == EXITED) | (train.age_months > 0)
    exited = (train.event == EXITED)[kept]
    assert exited.sum() > 50
    assert len(task.x) == kept.sum()
    longest = train.column_set.age_edges_months[-1]
    expected = np.minimum(last - train.originated, longest)[kept]
    np.testing.assert_array_equal(task.months[exited], expected[exited])
    assert task.fell.sum() == ((train.event == DEFAULTED) & (train.age_months <= longest)).sum()
    assert x.shape == (len(parts.test), task.x.shape[1])


def test_half_of_the_projects_is_half_of_the_projects(source: Source) -> None:
    parts = split.by_time(source.book, labels=source.labels)
    whole, half = (len(task_of(parts, share)[0].x) for share in (1.0, 0.5))
    assert half == pytest.approx(whole / 2, rel=0.1)


def test_projects_are_cut_by_age() -> None:
    periods = a_task([1.0, 2.0, 4.0, 5.0], [True, True, False, True]).periods
    assert periods.months.tolist() == [[1, 0], [2, 0], [2, 2], [2, 3]]
    assert periods.events.tolist() == [[1, 0], [1, 0], [0, 0], [0, 1]]


def test_the_baseline_of_equal_scores_is_that_of_nelson_and_aalen() -> None:
    """Three of three, one of two, and one of one: 1/3 + 1/2 + 1."""
    steps = breslow(a_task([1.0, 2.0, 3.0], [True] * 3), np.zeros(3))
    assert steps[:5].tolist() == pytest.approx([0, 1 / 3, 5 / 6, 11 / 6, 11 / 6])
    assert len(steps) == MONTHS + 1


def test_a_flat_hazard_is_exponential() -> None:
    pd = by_hazard(np.full((1, 2), np.log(0.01)), np.array([0, 24, 60]))
    np.testing.assert_allclose(pd[0], -np.expm1(-0.01 * np.arange(61)), rtol=0, atol=1e-12)
