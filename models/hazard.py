"""A fitted model, ready to answer: margins at every age, and what each column contributes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from features.column import ColumnSet
from features.encode import Encoder
from models.interval import Drift, Interval, Priced, interval, slopes
from models.leaves import Floats
from models.members import Members
from models.peers import Peers
from models.tables import Reading, Tables

CAUSES = ("default", "exit", "lgd")  # the rows of the margins, in the order of pricing.survival


@dataclass(frozen=True)
class HazardModel:
    """The log-hazards of default and exit and the logit of LGD, additive in the columns.

    Attributes:
        card: what is known of the fit (family, data, split, parameters, metrics), as JSON holds it.
        column_set: what the model may know, embedded so that it travels with the model.
        encoder: from a project to the model's row; the same in training and here.
        overlay: (3, K) calendar-time level of the cycle, added to the margins, never to a column.
        tables: the trees, with the exact Shapley tables of the background.
        peers: where values stand among the background's projects.
        members: how far the members of the bag of default stand apart.
        drift: how far groups of projects strayed out of time.
        digest: SHA-256 of the manifest, hexadecimal; the model's name in every quote.
    """

    card: Mapping[str, Any]
    column_set: ColumnSet
    encoder: Encoder
    overlay: Floats
    tables: Tables
    members: Members
    drift: Drift
    peers: Peers
    digest: str

    @property
    def name(self) -> str:
        """Return the model's name, as registered."""
        return str(self.card["name"])

    @property
    def currency(self) -> str:
        """Return the currency of every amount that the model reads."""
        return self.column_set.currency

    @property
    def edges(self) -> tuple[int, ...]:
        """Return the K + 1 edges of the age buckets, in months since origination."""
        return self.column_set.age_edges_months

    @property
    def base(self) -> Floats:
        """Return the background's mean margins, without the overlay: (3, K)."""
        return self.tables.base

    @cached_property
    def columns_by_source(self) -> dict[str, tuple[int, ...]]:
        """Return the places of the columns that each source tells, sources by name."""
        places: dict[str, list[int]] = defaultdict(list)
        for at, column in enumerate(self.column_set.columns):
            places[column.source].append(at)
        return {source: tuple(places[source]) for source in sorted(places)}

    @cached_property
    def columns_of_terms(self) -> tuple[tuple[str, str], ...]:
        """Return the columns that are read from the terms, each with the field it is."""
        columns = self.column_set.columns
        return tuple((column.name, column.terms) for column in columns if column.terms)

    def read(self, x: Floats) -> Reading:
        """Return one project's reading: margins (3, K) without the overlay, and contributions.

        Args:
            x: (columns,) from `encoder.row`.
        """
        return self.tables.read(x)

    def margins(self, x: Floats) -> Floats:
        """Return many projects' margins with the overlay: (n, columns) -> (n, 3, K)."""
        return self.tables.margins(x) + self.overlay

    def interval(self, reading: Reading, instrument: Priced) -> Interval:
        """Return the interval of a quote."""
        margins = reading.margins + self.overlay
        weights = slopes(margins, self.edges, months=self.drift.horizon_months)
        sd_bag = self.members.spread(reading.row, weights)
        return interval(margins, self.edges, instrument, sd_bag=sd_bag, drift=self.drift)
