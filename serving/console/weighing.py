"""What each column adds to the prices of a background: how much in the mean, and at which value.

Projects are explained one by one in a thread behind the quotes, once for each model, and what is
found is kept in memory. The parts are those of the explanation of a quote (models/explain.py).
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.column import Kind
from models.explain import attribute
from models.hazard import HazardModel
from models.pricer import Pricer
from pricing.errors import InputError, SeedrateError
from pricing.instruments.term_loan import TermLoan
from pricing.schedule import Terms

Floats = NDArray[np.float64]
MOST_PROJECTS = 200
MOST_SECONDS = 60.0  # after which the projects explained so far are the sample
GIVE_WAY_SECONDS = 0.005  # to the quotes, after each project
MOST_KEPT = 8
USUAL_AMOUNT, USUAL_MONTHS = 1_000_000.0, 60


@dataclass(frozen=True)
class Weighed:
    """A sample of the background, explained.

    Attributes:
        x: (projects, columns) encoded; NaN is missing.
        bps: (projects, columns) what each column adds, in basis points.
        weight: (projects,), > 0.
        of: projects in the background.
    """

    x: Floats
    bps: Floats
    weight: Floats
    of: int

    @property
    def importance(self) -> Floats:
        """Return the weighted mean of |bps| of each column."""
        mean: Floats = np.average(np.abs(self.bps), axis=0, weights=self.weight)
        return mean


@dataclass(frozen=True)
class Pending:
    """How far a weighing is; `fault` says why there will be none."""

    done: int = 0
    fault: str = ""


class Weighings:
    """One weighing a model, made when first asked for."""

    def __init__(self) -> None:
        """Weigh nothing yet."""
        self._found: OrderedDict[str, Weighed | Pending] = OrderedDict()
        self._lock = threading.Lock()
        self._one = threading.Lock()  # model at a time

    def ask(
        self, digest: str, prepared: Callable[[], tuple[Pricer, Path] | None]
    ) -> Weighed | Pending:
        """Return what was found, or how far it is; the first who asks sets it going.

        Args:
            digest: of the model.
            prepared: returns a pricer and the model's folder, or None if they are gone; it may
                take seconds.
        """
        with self._lock:
            if digest not in self._found:
                self._found[digest] = Pending()
                while len(self._found) > MOST_KEPT:
                    self._found.popitem(last=False)
                work = threading.Thread(
                    target=self._weigh, args=(digest, prepared), name="weighing", daemon=True
                )
                work.start()
            return self._found[digest]

    def _weigh(self, digest: str, prepared: Callable[[], tuple[Pricer, Path] | None]) -> None:
        with self._one:
            try:
                ready = prepared()
                if ready is None:
                    self._found[digest] = Pending(fault="the model's copy must be here, whole")
                    return
                self._found[digest] = weighed(
                    *ready, told=lambda done: self._found.__setitem__(digest, Pending(done))
                )
            except (SeedrateError, OSError, ValueError) as error:
                self._found[digest] = Pending(fault=str(error))


def weighed(
    pricer: Pricer,
    folder: Path,
    *,
    told: Callable[[int], None] = lambda done: None,
    most: int = MOST_PROJECTS,
    seconds: float = MOST_SECONDS,
) -> Weighed:
    """Explain projects of the background, evenly picked, each with a loan of its own terms.

    Args:
        pricer: the model, and the policy that prices.
        folder: of the model's files, verified.
        told: how many are done.
        most: projects.
        seconds: after which no further project is begun.
    """
    model, began = pricer.model, time.monotonic()
    background = np.load(folder / "background.npy", allow_pickle=False)
    weight = np.load(folder / "background_weight.npy", allow_pickle=False)
    picked = np.linspace(0, len(weight) - 1, min(len(weight), most)).astype(int)
    picked = np.random.default_rng(0).permutation(picked)  # a sample cut short is a sample still
    parts: list[Floats] = []
    for at in picked:
        if parts and time.monotonic() - began > seconds:
            break
        x = background[at]
        loan = TermLoan(_terms(model, x)).priced(pricer.policy, model.edges)
        parts.append(attribute(model, model.read(x), loan).columns_bps)
        told(len(parts))
        time.sleep(GIVE_WAY_SECONDS)
    used = picked[: len(parts)]
    return Weighed(background[used], np.array(parts), weight[used], len(weight))


def decoded(model: HazardModel, index: int, value: float) -> object:
    """Return a number of the background as a caller would send it; None is missing.

    Args:
        model: whose background it is.
        index: of the column.
        value: as encoded; NaN is missing.
    """
    column = model.column_set.columns[index]
    if value != value:
        return None
    if column.kind is Kind.FLAG:
        return value > 0.5
    if column.kind is Kind.CATEGORY:
        levels = model.encoder.levels[column.name]
        return min(levels, key=lambda level: abs(levels[level] - value))
    return value


def _terms(model: HazardModel, x: Floats) -> Terms:
    """Return the terms that a row tells; a usual loan where it tells none that can be priced."""
    longest = model.edges[-1]
    usual: dict[str, object] = {
        "amount": USUAL_AMOUNT,
        "term_months": min(USUAL_MONTHS, longest),
        "repayment": "linear",
    }
    known = {
        field: decoded(model, model.column_set.names.index(name), float(x[at]))
        for name, field in model.columns_of_terms
        for at in [model.column_set.names.index(name)]
    }
    said = {
        field: round(float(str(value))) if field.endswith("_months") else value
        for field, value in known.items()
        if value is not None
    }
    try:
        terms = Terms(**(usual | said))  # type: ignore[arg-type]  # Terms checks every field
    except InputError:
        terms = Terms(**usual)  # type: ignore[arg-type]  # likewise
    return terms if terms.term_months <= longest else Terms(**usual)  # type: ignore[arg-type]
