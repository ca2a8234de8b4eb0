"""A fitted model, ready to answer: margins at every age, and what each column contributes.

Trees speak of every cause. Of default an additive network may speak in their place, or beside them:
then the log hazard is their sum, and so are its contributions. A TabM may speak in their place too;
it has no contributions of columns, and is asked of hybrids instead.
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
from models import additive, groups, tables, tabm
from models.additive import Additive
from models.interval import Drift, ends, slopes
from models.leaves import Floats
from models.members import Members
from models.peers import Peers
from models.shapley import Game
from models.tables import Tables
from models.tabm import Compared
from pricing.errors import ModelError
from pricing.survival import DEFAULT

Trees = tables.Reading
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
    network: additive.Reading | tabm.Reading | None = None

    def contributions(self, weights: Floats) -> Floats:
        """Return the Shapley value of every column for sum(weights * margins).

        Args:
            weights: (3, K), finite.

        Returns:
            (columns,); their sum is sum(weights * (margins - base)).

        Raises:
            ModelError: it was read by a TabM, which is no sum over columns; see `grouped.shares`.
        """
        if isinstance(self.network, tabm.Reading):
            raise ModelError("contributions must be of a sum over columns, however: a TabM")
        return self.shares(self.trees.contributions(weights), weights)

    def shares(self, trees: Floats, weights: Floats) -> Floats:
        """Return `contributions`, of which the trees' part is known: (columns,)."""
        if isinstance(self.network, additive.Reading):
            return trees + self.network.contributions(weights[DEFAULT])
        return trees


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
        network: of default, with its own closed form, or a TabM; None where trees speak alone.
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
    network: Additive | Compared | None = None

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
        return self.joined(self.tables.read(x), x)

    def joined(self, trees: Trees, x: Floats) -> Reading:
        """Return a project's reading, of which the trees' part is known."""
        if self.network is None:
            return Reading(trees.margins, trees)
        network = self.network.read(x)
        return Reading(self._joined(trees.margins, network.margins), trees, network)

    def coalitions(self, reading: Reading) -> Floats | None:
        """Return the mean margins of every coalition of business groups: (2^G, 3, K).

            coalition S, bit g for group g:  E_z m(x_S, z) over the background, without the overlay

        Where a TabM speaks, its references are the background. None where there are more groups
        than can be priced (`groups.MOST_GROUPS`).
        """
        if self.tables.dividends is None:
            return None
        dividends = self.tables.group_dividends(reading.trees.row)
        group = np.array(self.column_set.group_of)
        if isinstance(self.network, Additive) and isinstance(reading.network, additive.Reading):
            dividends[:, DEFAULT] += self.network.group_dividends(reading.network.x, group)
        margins = groups.coalitions(dividends)
        if isinstance(self.network, Compared) and isinstance(reading.network, tabm.Reading):
            margins[:, DEFAULT] += self.network.hybrids(reading.network.x, Game.of_groups(group))
        return margins

    def hybrids(self, x: Floats, game: Game) -> Floats:
        """Return the mean margins of hybrids of a project with a TabM's references, no overlay.

        Args:
            x: (columns,) the project.
            game: who plays, and which coalitions are asked.

        Returns:
            (coalitions, 3, K); that of nobody is `base`, and that of all the project's own.
        """
        if not isinstance(self.network, Compared):
            raise ModelError("hybrids must be asked of a TabM, however: there is none")
        out = np.zeros((len(game.coalitions), len(CAUSES), len(self.edges) - 1))
        for theirs in self.network.references:
            out += self.tables.margins(np.where(game.columns, x, theirs))
        out /= len(self.network.references)
        return self._joined(out, self.network.hybrids(x, game))

    def margins(self, x: Floats) -> Floats:
        """Return many projects' margins with the overlay: (n, columns) -> (n, 3, K)."""
        network = None if self.network is None else self.network.margins(x)
        return self._joined(self.tables.margins(x), network) + self.overlay

    def slopes(self, margins: Floats) -> Floats:
        """Return (K,) the derivatives of logit PD at the drift's horizon by the log hazards.

        Args:
            margins: (3, K) with the overlay.
        """
        return slopes(margins, self.edges, months=self.drift.horizon_months)

    def sd_bag(self, reading: Reading, weights: Floats, sd_trees: float) -> float:
        """Return how far the members stand apart, those of a network too, see `Interval`.

        Args:
            reading: of the project.
            weights: `slopes` of its margins.
            sd_trees: `Members.spread` of these weights.
        """
        if reading.network is None:
            return sd_trees
        return math.hypot(sd_trees, reading.network.spread(weights))

    def ends(self, margins: Floats, sd_bag: float) -> Floats:
        """Return (2, 3, K) the margins (3, K) at both ends of an interval whose sd_bag is known."""
        return ends(margins, self.edges, sd_bag=sd_bag, drift=self.drift)

    @staticmethod
    def _joined(margins: Floats, default: Floats | None) -> Floats:
        """Return margins (..., 3, K) with a network's log hazards of default (..., K) added."""
        if default is None:
            return margins
        joined = margins.copy()
        joined[..., DEFAULT, :] += default
        return joined
