"""Audited explanations: what they cost, how far the path is off by price, how often that alarms.

Times are the processor's, of one thread, so that what else runs on the machine says little.

python -m benchmarks.audit [FOLDER]

The folder of a model, as in var/models; by default the champion's.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.explanation import champions, some_terms
from models.artifact import read
from models.audit import Audit
from models.explain import attribute
from models.hazard import HazardModel
from models.leaves import Floats
from pricing.arrange import arranged
from pricing.errors import PolicyError
from pricing.feedback import Feedback
from pricing.instrument import Instrument
from pricing.instruments.term_loan import TermLoan
from pricing.policy import load
from pricing.schedule import Terms

QUOTES = 2_000
BANDS_BPS = (-np.inf, 300.0, 800.0, 2_000.0, np.inf)
TIMED = {
    "a linear loan of 36 months": Terms(1e6, 36, "linear"),
    "an annuity of 60 months": Terms(1e6, 60, "annuity"),
}
FEEDBACK = Feedback(log_hazard_per_point=0.02, reference_spread_bps=300.0)


def main(folder: Path) -> None:
    """Print the figures of a model folder."""
    model = read(folder)
    dividends = model.tables.dividends
    if dividends is None:
        sys.exit("the model has too many groups to be audited")
    size = sum(x.nbytes for x in vars(dividends).values() if isinstance(x, np.ndarray)) / 1e6
    cells = model.tables.cells.nbytes / 1e6
    players = len(model.column_set.groups_told) + bool(model.overlay.any())
    print(
        f"model {model.digest[:12]}, {model.card['family']}: {players} players with the overlay, "
        f"dividends {size:.1f} MB beside Shapley tables of {cells:.1f} MB"
    )
    rng = np.random.default_rng(0)
    background = np.load(folder / "background.npy", allow_pickle=False)
    rows = background[rng.integers(0, len(background), QUOTES)]
    policy = load(currency=model.currency)
    for name, terms in TIMED.items():
        loan = TermLoan(terms).priced(policy, model.edges)
        timed(model, rows, loan, name, times=200)
    fed_back = arranged(
        TermLoan(TIMED["a linear loan of 36 months"]),
        None,
        replace(policy, feedback=FEEDBACK),
        model.edges,
    )
    timed(model, rows, fed_back, "the same linear loan, its rate feeding back", times=30)
    by_band(model, rows, rng)


def timed(
    model: HazardModel, rows: Floats, instrument: Instrument, name: str, *, times: int
) -> None:
    """Print the time of an explained price, plain and audited, in turns."""
    rows = np.array([x for x in rows[: 3 * times] if _viable(model, x, instrument)][:times])
    plain = median_ms(lambda x: attribute(model, model.read(x), instrument), rows)
    both = median_ms(lambda x: audited(model, x, instrument), rows)
    print(f"{name}: explained {plain:.2f} ms, audited {both:.2f} ms, ratio {both / plain:.0f}")


def median_ms(call: Callable[[Floats], object], rows: Floats) -> float:
    """Return the median processor time of a call in milliseconds, after a warm-up."""
    call(rows[0])
    taken = []
    for x in rows:
        began = time.thread_time()
        call(x)
        taken.append(time.thread_time() - began)
    return float(np.median(taken) * 1e3)


def audited(model: HazardModel, x: Floats, instrument: Instrument) -> Audit | None:
    """Read, explain and audit one project."""
    reading = model.read(x)
    return Audit.of(model, reading, instrument, attribute(model, reading, instrument))


def by_band(model: HazardModel, rows: Floats, rng: np.random.Generator) -> None:
    """Print how far the path is off, and the share of alarms, by the figure."""
    policy = load(currency=model.currency)
    figures, differences, alarms = [], [], []
    for x in rows:
        instrument = TermLoan(some_terms(rng, model)).priced(policy, model.edges)
        reading = model.read(x)
        parts = attribute(model, reading, instrument)
        audit = Audit.of(model, reading, instrument, parts)
        if audit is not None:
            figures.append(parts.figure_bps)
            differences.append(audit.difference_bps)
            alarms.append(audit.alarm)
    figure, difference, alarm = map(np.array, (figures, differences, alarms))
    print(f"{len(rows):,} loans of any terms, {len(rows) - len(figure)} of them without an audit:")
    for low, high in pairwise(BANDS_BPS):
        at = (low <= figure) & (figure < high)
        if at.any():
            print(
                f"  {low:6.0f} to {high:6.0f} bp: {at.mean():5.1%} of quotes, difference of a "
                f"group {difference[at].mean():6.2f} bp, worst quote {difference[at].max():6.1f}, "
                f"alarms {alarm[at].mean():.2%}"
            )


def _viable(model: HazardModel, x: Floats, instrument: Instrument) -> bool:
    try:
        return audited(model, x, instrument) is not None
    except PolicyError:
        return False


if __name__ == "__main__":
    main(
        Path(sys.argv[1])
        if len(sys.argv) > 1
        else champions(Path(os.environ.get("SEEDRATE_VAR", "var")))
    )
