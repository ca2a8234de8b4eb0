"""A fitted model, ready to answer: margins at every age, and what each column contributes.

Trees speak of every cause. Of default an additive network may speak in their place, or beside them:
then the log hazard is their sum, and so are its contributions.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from features.column import ColumnSet
from features.encode import Encoder
from models import additive, groups, tables
from models.additive import Additive
from models.interval import Drift, Interval, Priced, interval, slopes
from models.leaves import Floats
from models.members import Members
from models.peers import Peers
from models.tables import Tables
from pricing.survival import DEFAULT

CAUSES = ("default", "exit", "lgd")  # the rows of the margins, in the order of pricing.survival


@dataclass(frozen=True)
class Reading:
    """One project as the model sees it.

    Attributes:
        margins: (3, K) without the overlay.
        trees: what the trees say of it.
        network: what the network says of its default, where there is one.
    """

    margins: Floats
    trees: tables.Reading
    network: additive.Reading | None = None

    def contributions(self, weights: Floats) -> Floats:
        """Return the Shapley value of every column for sum(weights * margins).

        Args:
            weights: (3, K), finite.

        Returns:
            (columns,); their sum is sum(weights * (margins - base)).
        """
        shares = self.trees.contributions(weights)
        if self.network is not None:
            shares = shares + self.network.contributions(weights[DEFAULT])
        return shares


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
        network: of default, with its own closed form; None where trees speak alone.
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
    network: Additive | None = None

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

    @cached_property
    def base(self) -> Floats:
        """Return the background's mean margins, without the overlay: (3, K)."""
        return self._joined(self.tables.base, None if self.network is None else self.network.base)

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
        trees = self.tables.read(x)
        if self.network is None:
            return Reading(trees.margins, trees)
        network = self.network.read(x)
        return Reading(self._joined(trees.margins, network.margins), trees, network)

    def coalitions(self, reading: Reading) -> Floats | None:
        """Return the mean margins of every coalition of business groups: (2^G, 3, K).

            coalition S, bit g for group g:  E_z m(x_S, z) over the background, without the overlay

        None where there are more groups than can be priced (`groups.MOST_GROUPS`).
        """
        if self.tables.dividends is None:
            return None
        dividends = self.tables.group_dividends(reading.trees.row)
        if reading.network is not None and self.network is not None:
            group = np.array(self.column_set.group_of)
            dividends[:, DEFAULT] += self.network.group_dividends(reading.network.x, group)
        return groups.coalitions(dividends)

    def margins(self, x: Floats) -> Floats:
        """Return many projects' margins with the overlay: (n, columns) -> (n, 3, K)."""
        network = None if self.network is None else self.network.margins(x)
        return self._joined(self.tables.margins(x), network) + self.overlay

    def interval(self, reading: Reading, instrument: Priced) -> Interval:
        """Return the interval of a quote."""
        margins = reading.margins + self.overlay
        weights = slopes(margins, self.edges, months=self.drift.horizon_months)
        sd_bag = self.members.spread(reading.trees.row, weights)
        if reading.network is not None:
            sd_bag = math.hypot(sd_bag, reading.network.spread(weights))
        return interval(margins, self.edges, instrument, sd_bag=sd_bag, drift=self.drift)

    @staticmethod
    def _joined(margins: Floats, default: Floats | None) -> Floats:
        """Return margins (..., 3, K) with a network's log hazards of default (..., K) added."""
        if default is None:
            return margins
        joined = margins.copy()
        joined[..., DEFAULT, :] += default
        return joined
