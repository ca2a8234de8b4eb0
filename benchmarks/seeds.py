"""How much of a figure is the dice: the fit of `benchmarks.accuracy` again, over seeds.

python -m benchmarks.seeds                        real loans; the fit's seeds 20, 21, 22
python -m benchmarks.seeds --depth 7              with trees of that depth, not asked of vintages
python -m benchmarks.seeds --tuned FILE --seeds 4   with sizes that `training tune` found
python -m benchmarks.seeds --projects 12000       simulated worlds 0 to 2
python -m benchmarks.seeds --projects 12000 --family blended --seeds 5
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.accuracy import HORIZON, real_loans
from features.book import read_book
from features.sets import load
from features.simulate import simulate
from training import metrics, space
from training.evaluate import Foretold
from training.fit import Fitted, fit
from training.metrics import Forecast
from training.options import Family, Options
from training.split import Labels
from training.tuned import Tuned

Figures = dict[str, float]


def main(projects: int | None, options: Options, seeds: int) -> None:
    """Print a line a seed, then the mean and the standard deviation of each figure."""
    rows = list(real(options, seeds) if projects is None else simulated(projects, options, seeds))
    for name in rows[0]:
        found = np.array([row[name] for row in rows])
        spread = found.std(ddof=1) if len(found) > 1 else float("nan")
        print(f"{name}: {found.mean():.4f}, standard deviation {spread:.4f}")


def real(options: Options, seeds: int) -> Iterator[Figures]:
    """Yield the figures of the SBA loans, mature labels, by the seed of the fit."""
    book = read_book(real_loans(), load("sba"))
    for seed in range(options.seed, options.seed + seeds):
        fitted = fit(book, replace(options, seed=seed, labels=Labels.MATURE))
        foretold = _foretold(fitted)
        by_month = {h: foretold.forecast(h, foretold.followed(h)) for h in (36, 60)}
        yield _told(
            f"seed {seed}, {_size(fitted)}",
            {
                "AUC 36": metrics.auc(by_month[36]),
                "AUC 60": metrics.auc(by_month[60]),
                "log loss 60": metrics.log_loss(by_month[60]),
            },
        )


def simulated(projects: int, options: Options, seeds: int) -> Iterator[Figures]:
    """Yield what is lost to the oracle that knows frailty and the economy, by world."""
    for seed in range(seeds):
        world = simulate(projects, seed=seed)
        with tempfile.TemporaryDirectory() as folder:
            world.table().write_parquet(Path(folder) / "data.parquet")
            book = read_book(Path(folder) / "data.parquet", load("early_stage"))
        fitted = fit(book, options)
        parts, foretold = fitted.split, _foretold(fitted)
        inside = (world.month >= parts.test_from) & (world.month < parts.test_to)
        followed = foretold.followed(HORIZON)
        ours = foretold.forecast(HORIZON, followed)
        fell = np.empty_like(ours.y)
        fell[ours.order] = ours.y
        truth = world.oracle.everything[inside, 1][followed]
        best = metrics.auc(Forecast.of(truth, fell, parts.test.weight[followed]))
        lost = best - metrics.auc(ours)
        yield _told(f"world {seed}, {_size(fitted)}", {"AUC 36 lost to the oracle": lost})


def _foretold(fitted: Fitted) -> Foretold:
    test = fitted.split.test
    return Foretold.of(fitted.margins(fitted.encoder.matrix(test.frame)), test)


def _size(fitted: Fitted) -> str:
    size = fitted.card["sizes"]["default"]
    return f"{size['rounds']} rounds at depth {size['depth']}"


def _told(what: str, figures: Figures) -> Figures:
    print(
        f"{what}: {', '.join(f'{name} {value:.4f}' for name, value in figures.items())}", flush=True
    )
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--projects", type=int, help="simulated ones; without it, real loans")
    parser.add_argument("--family", type=Family, choices=[*Family], default=Family.BOOSTED)
    parser.add_argument("--depth", type=int, help="of trees; without it, the fit chooses")
    parser.add_argument(
        "--tuned", type=Path, help="sizes and family, as `training tune` wrote them"
    )
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    asked = Options(family=given.family)
    if given.depth is not None:
        trees = replace(asked.default, depth=given.depth)
        asked = replace(asked, default=trees, depths=(given.depth,))
    if given.tuned is not None:
        found = Tuned.read(given.tuned)
        asked = space.tuned(Options(family=Family(found.family)), found)
    main(given.projects, asked, given.seeds)
