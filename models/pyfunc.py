"""A model as MLflow loads it, from its folder: a table of projects in, a table of prices out.

    mlflow.pyfunc.load_model("models:/seedrate@champion").predict(frame)

MLflow's model names this file as its loader and holds data only: the code that prices is this
checkout's. Run from the repository's root, or with it on the path.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from features.column import Kind
from features.project import faults
from models import artifact
from models.pricer import Pricer, Quote
from pricing import policy
from pricing.errors import Fault, InputError
from pricing.instruments.term_loan import TermLoan
from pricing.schedule import Terms

TERMS = ("amount", "term_months", "repayment", "grace_months", "payment_months")
WHOLE = ("term_months", "grace_months", "payment_months")
FIGURES = ("rate", "spread_bps", "pd_12", "pd_36", "pd_60", "pd_lifetime", "lgd")


@dataclass(frozen=True)
class Priced:
    """A pricer that reads and gives tables, as MLflow asks."""

    pricer: Pricer

    def predict(
        self, model_input: pd.DataFrame, params: Mapping[str, object] | None = None
    ) -> pd.DataFrame:
        """Return the endpoint's figures, a row a project.

        Args:
            model_input: the column set's columns, and those of the terms: amount, term_months,
                repayment, and where they differ from 0 and 1, grace_months and payment_months.
                A missing value, or column, is missing.
            params: there are none.

        Raises:
            InputError: every value that is not as declared, by row.
        """
        wrong: list[Fault] = []
        priced = [
            self._figures(row, number, wrong) for number, row in enumerate(self._rows(model_input))
        ]
        if wrong:
            raise InputError(wrong)
        return pd.DataFrame(priced, columns=list(FIGURES), index=model_input.index, dtype=float)

    def _figures(self, row: dict[str, Any], number: int, wrong: list[Fault]) -> list[float]:
        columns = self.pricer.model.column_set
        asked = {column.name for column in columns.asked}
        project = {name: value for name, value in row.items() if name in asked or name not in TERMS}
        found = faults(columns, project)
        try:
            terms = _terms({name: row[name] for name in TERMS if name in row})
            if not found:
                return figures(self.pricer.quote_checked(project, TermLoan(terms)))
        except InputError as error:
            found += error.faults
        wrong += [replace(fault, field=f"row {number}: {fault.field}") for fault in found]
        return []

    def _rows(self, frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
        """Yield what is known of each row, in Python's own types; what is missing is absent."""
        columns = self.pricer.model.column_set.asked
        counts = {column.name for column in columns if column.kind is Kind.COUNT}
        for row in frame.to_dict(orient="records"):
            known = {str(name): value for name, value in row.items() if not pd.isna(value)}
            yield {
                name: int(value) if name in counts and _whole(value) else value
                for name, value in known.items()
            }


def figures(quote: Quote) -> list[float]:
    """Return the figures of a quote as its document prints them, in the order of `FIGURES`."""
    document = quote.document()
    pds = (document["pd"][horizon] for horizon in ("12", "36", "60", "lifetime"))
    printed = (document["rate"], document["spread_bps"], *pds, document["lgd"])
    return [float(text) for text in printed]


def _terms(asked: Mapping[str, Any]) -> Terms:
    """Return the terms; numbers that a table holds as floats are whole again."""
    needed: dict[str, Any] = dict.fromkeys(TERMS[:3]) | dict(asked)
    for name in WHOLE:
        if _whole(needed.get(name)):
            needed[name] = int(needed[name])
    return Terms(**needed)


def _whole(value: object) -> bool:
    return isinstance(value, float) and value.is_integer()


def _load_pyfunc(path: str) -> Priced:
    """Return the model in a folder, priced by the policy of SEEDRATE_POLICY or the embedded one."""
    model = artifact.read(Path(path))
    own = os.environ.get("SEEDRATE_POLICY") or None
    return Priced(Pricer(model, policy.load(own, currency=model.currency)))
