"""How well the model ranks and levels, on real loans and on simulated ones whose truth is known.

python -m benchmarks.accuracy      real loans where present, and 100,000 simulated projects
python -m benchmarks.accuracy --projects 20000
python -m benchmarks.accuracy --family network
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.book import read_book
from features.sets import load
from features.simulate import simulate
from models.artifact import read
from models.hazard import HazardModel
from pricing import policy
from pricing.instruments.term_loan import TermLoan
from pricing.schedule import Terms
from training import metrics, monotone
from training.evaluate import Foretold, flat
from training.fit import Fitted, fit
from training.metrics import Forecast
from training.options import Family, Options
from training.split import Labels
from training.study import study

Floats = NDArray[np.float64]
Line = tuple[str, float, str]  # what, figure, what it should be

RESAMPLES = 200
HORIZON = 36  # months; the second of the oracle's columns
SLACK_BPS = 1e-6
STEPS = 8
PAIRED_PROJECTS = 300
LOANS = (
    Terms(amount=1e6, term_months=36, repayment="bullet"),
    Terms(amount=1e6, term_months=60, repayment="linear", grace_months=12, payment_months=3),
    Terms(amount=1e6, term_months=84, repayment="annuity"),
)


def main(projects: int, family: Family) -> None:
    """Print all figures as one table."""
    print(f"{family.value}\n\n| what | figure | wanted |\n|---|---|---|")
    for what, figure, wanted in chain(real(family), simulated(projects, family)):
        print(f"| {what} | {figure:.4g} | {wanted} |", flush=True)


def real(family: Family) -> Iterator[Line]:
    """Yield the figures of the SBA loans: mature labels compare forms, a snapshot forecasts."""
    file = real_loans()
    if not file.is_file():
        yield f"SBA: no {file.name}; set SEEDRATE_DATA to its folder", float("nan"), "skipped"
        return
    book = read_book(file, load("sba"))
    began = time.perf_counter()
    mature = fit(book, Options(labels=Labels.MATURE, family=family))
    yield "SBA, mature labels: fit, s", time.perf_counter() - began, "<= 120"
    wanted = {"auc_36m": ">= .720", "auc_60m": ">= .704", "log_loss_60m": "<= .452"}
    yield from judged(mature, "SBA, mature labels", wanted)
    yield from judged(fit(book, Options(family=family)), "SBA, as known at the end of 2003", {})


def real_loans() -> Path:
    """Return where the SBA loans should be."""
    folder = Path(os.environ.get("SEEDRATE_DATA", "../shared/data"))
    return folder / "sba_national_casecontrol.parquet"


def judged(fitted: Fitted, title: str, wanted: dict[str, str]) -> Iterator[Line]:
    """Yield ours and the linear benchmark's figures, and the difference with its interval."""
    found = study(fitted, resamples=RESAMPLES, told=lambda step: None)
    ours, linear = flat(found.measures), flat(found.benchmark)
    for name in ("auc_36m", "auc_60m", "log_loss_36m", "log_loss_60m"):
        if name in ours:
            yield f"{title}: {name}", ours[name], wanted.get(name, "")
            yield f"{title}: {name}, linear hazards", linear[name], ""
    for gain in found.gains:
        if gain.metric == "auc" and gain.horizon_months > 12:
            better = "above 0" if wanted else ""
            yield f"{title}: {gain.key} over linear, low end of 90 %", gain.interval.low, better
    yield f"{title}: observed / expected 36m", ours["observed_over_expected_36m"], "reported"


def simulated(projects: int, family: Family) -> Iterator[Line]:
    """Yield the figures of a simulated book, against what nobody can beat."""
    world = simulate(projects)
    with tempfile.TemporaryDirectory() as folder:
        world.table().write_parquet(Path(folder) / "data.parquet")
        book = read_book(Path(folder) / "data.parquet", load("early_stage"))
        began = time.perf_counter()
        fitted = fit(book, Options(family=family))
        yield f"simulated, {projects:,} projects: fit, s", time.perf_counter() - began, ""
        fitted.write(Path(folder) / "model")
        model = read(Path(folder) / "model")
    yield from judged(fitted, "simulated", {})
    parts = fitted.split
    inside = (world.month >= parts.test_from) & (world.month < parts.test_to)
    yield from against_oracle(
        fitted,
        everything=world.oracle.everything[inside, 1],
        columns=world.oracle.columns[inside, 1],
    )
    x = model.encoder.matrix(parts.test.frame)[:PAIRED_PROJECTS]
    wrong = sum(monotone.violations(model, x).values())
    yield "simulated: steps of a margin against a direction", wrong, "0"
    yield "simulated: steps of a price against a direction", price_violations(model, x), "0"


def against_oracle(fitted: Fitted, *, everything: Floats, columns: Floats) -> Iterator[Line]:
    """Yield how much is lost to the oracles on the test loans, (n,) their true probabilities."""
    test = fitted.split.test
    foretold = Foretold.of(fitted.margins(fitted.encoder.matrix(test.frame)), test)
    followed = foretold.followed(HORIZON)
    ours = foretold.forecast(HORIZON, followed)
    defaulted = np.empty_like(ours.y)
    defaulted[ours.order] = ours.y
    for name, truth, most in (
        ("frailty and the economy", everything, "<= .020"),
        ("all columns, none hidden", columns, "<= .008"),
    ):
        best = metrics.auc(Forecast.of(truth[followed], defaulted, test.weight[followed]))
        yield f"simulated: auc_36m of the oracle that knows {name}", best, ""
        yield "simulated: auc_36m lost to it", best - metrics.auc(ours), most
        agreed = metrics.concordance(ours.p, truth[followed][ours.order])
        yield "simulated: concordance with it", agreed, ""


def price_violations(model: HazardModel, x: Floats) -> int:
    """Count prices that move against a direction when one column is raised, on three loans."""
    terms = policy.load(currency=model.currency)
    loans = [TermLoan(loan).priced(terms, model.edges) for loan in LOANS]
    wrong = 0
    for index, column in enumerate(model.column_set.columns):
        known = x[~np.isnan(x[:, index]), index]
        if not column.direction.sign or not len(known):
            continue
        values = np.unique(np.quantile(known, np.linspace(0, 1, STEPS)))
        moved = np.repeat(x[None], len(values), axis=0)  # (values, n, columns)
        moved[:, :, index] = values[:, None]
        margins = model.margins(moved.reshape(-1, x.shape[1]))
        for loan in loans:
            steps = np.diff(loan.figures(margins).reshape(len(values), len(x)), axis=0)
            wrong += int((column.direction.sign * steps < -SLACK_BPS).sum())
    return wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--projects", type=int, default=100_000)
    parser.add_argument("--family", type=Family, choices=[*Family], default=Family.BOOSTED)
    given = parser.parse_args()
    main(given.projects, given.family)
