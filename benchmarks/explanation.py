"""One explained price: how long it takes, against `pred_contrib`, and how exactly it adds up.

python -m benchmarks.explanation [FOLDER]

The folder of a model, as in var/models; by default the champion's.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import lightgbm
import numpy as np
from numpy.typing import NDArray

from features.project import faults
from models.artifact import read
from models.copies import Pointer
from models.explain import attribute
from models.hazard import CAUSES, HazardModel
from models.pricer import Pricer
from pricing.errors import InputError
from pricing.instruments.term_loan import TermLoan
from pricing.policy import load
from pricing.schedule import Terms

Floats = NDArray[np.float64]
QUOTES = 10_000
EXAMPLES = Path(__file__).parent.parent / "examples"


def main(folder: Path) -> None:
    """Print the figures of a model folder."""
    model = read(folder)
    policy = load(currency=model.currency)
    background = np.load(folder / "background.npy", allow_pickle=False)
    rng = np.random.default_rng(0)
    rows = background[rng.integers(0, len(background), QUOTES)]
    deals = [TermLoan(some_terms(rng, model)) for _ in range(QUOTES)]
    loans = [deal.priced(policy, model.edges) for deal in deals]
    leaves = len(model.tables.boxes.value)
    family = model.card["family"]
    print(
        f"model {model.digest[:12]}, {family}: {leaves:,} leaves, {len(background):,} rows beside"
    )

    worst = max(
        abs(attribute(model, model.read(x), loan).residue_bps)
        for x, loan in zip(rows, loans, strict=True)
    )
    print(f"additivity over {QUOTES:,} quotes: worst residue {worst:.2e} bp")

    ours = median_ms(lambda i: attribute(model, model.read(rows[i]), loans[i]), 2_000)
    print(f"attributed price, in process, whole bag, one thread: median {ours:.3f} ms")

    pricer, project = Pricer(model, policy), example_of(model)
    whole = median_ms(lambda i: pricer.quote(project, deals[i]).document(), 2_000)
    print(f"whole quote, from a project to the reply's document: median {whole:.3f} ms")

    if model.network is not None:
        return  # LightGBM knows no contributions of a network
    boosters = members(folder)
    buckets = len(model.edges) - 1
    theirs = median_ms(lambda i: contributions_by_lightgbm(boosters, rows[i], buckets), 20)
    print(f"the same contributions by pred_contrib at every age: median {theirs:.1f} ms")
    print(f"ratio: {theirs / ours:.0f} x")


def champions(var: Path) -> Path:
    """Return the folder of the last champion that was pulled."""
    pointer = Pointer.read(var / "models")
    if pointer is None:
        sys.exit("there is no champion in var/models: make demo")
    return var / "models" / pointer.digest


def some_terms(rng: np.random.Generator, model: HazardModel) -> Terms:
    """Return terms as asked for: any form, 12 months to the longest the model knows."""
    months = 12 * int(rng.integers(1, model.edges[-1] // 12 + 1))
    repayment = ("bullet", "linear", "annuity")[int(rng.integers(3))]
    grace = 0 if repayment == "bullet" else 3 * int(rng.integers(0, 3))
    return Terms(
        amount=float(rng.integers(1, 40)) * 50_000.0,
        term_months=months,
        repayment=repayment,
        grace_months=grace,
        payment_months=int(rng.choice([1, 3])),
    )


def example_of(model: HazardModel) -> dict[str, object]:
    """Return the first of the examples that is a project of the model's column set."""
    for file in sorted(EXAMPLES.glob("*.json")):
        project: dict[str, object] = json.loads(file.read_text("utf-8"))["project"]
        if not faults(model.column_set, project):
            return project
    raise InputError.of("examples", f"one of column set {model.column_set.name}", "none")


def members(folder: Path) -> list[lightgbm.Booster]:
    """Return every booster of every cause."""
    files = sorted(f for cause in CAUSES for f in folder.glob(f"{cause}-*.txt"))
    return [lightgbm.Booster(model_str=file.read_text("utf-8")) for file in files]


def contributions_by_lightgbm(boosters: list[lightgbm.Booster], x: Floats, buckets: int) -> float:
    """Ask every member for the contributions at every age, one thread, as a server would."""
    ages = np.column_stack([np.tile(x, (buckets, 1)), np.arange(buckets, dtype=np.float64)])
    return sum(
        float(np.asarray(b.predict(ages, pred_contrib=True, num_threads=1)).sum()) for b in boosters
    )


def median_ms(call: Callable[[int], object], times: int) -> float:
    """Return the median time of `call(i)` in milliseconds, after a warm-up."""
    call(0)
    taken = []
    for i in range(times):
        begin = time.perf_counter()
        call(i)
        taken.append(time.perf_counter() - begin)
    return float(np.median(taken) * 1e3)


if __name__ == "__main__":
    main(
        Path(sys.argv[1])
        if len(sys.argv) > 1
        else champions(Path(os.environ.get("SEEDRATE_VAR", "var")))
    )
