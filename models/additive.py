"""An additive network as it serves: lines of single columns and planes of pairs, over hats of age.

    log h_k(x) = a_k + sum_j B_jk ( sum_i f_ij(x_i) + sum_(i,l) g_ilj(x_i, x_l) )

With n(x) the weights of the two knots between which a value lies (or of the node for a missing
one), f(x) = n(x)' F and g(x, z) = n(x)' G n(z): so f is piecewise linear and g is bilinear between
knots. Every term has at most two columns, which gives exact Shapley values against a background Z
of any size in closed form:

    phi_i = f_i(x_i) - E f_i(Z_i)
            + 1/2 sum_l [ g(x_i, x_l) - E g(Z_i, x_l) + E g(x_i, Z_l) - E g(Z_i, Z_l) ]

where every expectation over Z is a line or a number made once, when the model is loaded. Members
are averaged node by node: the mean of networks is one network.

Source: Shapley values of games of at most two players a term, as in Lou et al. (2013), GA2M;
interventional expectations, Lundberg et al. (2020).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from models.leaves import Floats
from pricing.errors import ModelError

Longs = NDArray[np.int64]


@dataclass(frozen=True)
class Network:
    """The members' nodes.

    Attributes:
        knots: (columns, N) ascending, padded with +inf: where the lines bend.
        coarse: (columns, C) likewise, of the planes.
        pairs: (pairs, 2) columns.
        basis: (J, K) hats over the age buckets, >= 0, each bucket's sum one.
        baseline: (members, K).
        mains: (members, columns, N + 1, J); the last node is that of a missing value.
        planes: (members, pairs, C + 1, C + 1, J) likewise.
    """

    knots: Floats
    coarse: Floats
    pairs: Longs
    basis: Floats
    baseline: Floats
    mains: Floats
    planes: Floats

    def __post_init__(self) -> None:
        """Refuse nodes that do not fit together.

        Raises:
            ModelError: names what has the wrong shape.
        """
        members, buckets = self.baseline.shape
        columns, nodes = self.knots.shape
        hats, coarse, pairs = len(self.basis), self.coarse.shape[1], len(self.pairs)
        expected = {
            "coarse": (columns, coarse),
            "pairs": (pairs, 2),
            "basis": (hats, buckets),
            "mains": (members, columns, nodes + 1, hats),
            "planes": (members, pairs, coarse + 1, coarse + 1, hats),
        }
        for name, shape in expected.items():
            given = getattr(self, name).shape
            if given != shape:
                raise ModelError(f"network.{name} must have shape {shape}, however: {given}")

    def write(self, file: Path) -> None:
        """Write the nodes as safetensors."""
        save_file({name: np.ascontiguousarray(value) for name, value in vars(self).items()}, file)

    def scaled(self, share: float) -> Network:
        """Return the network whose log hazards are a share, in (0, 1], of this one's."""
        return replace(
            self,
            baseline=share * self.baseline,
            mains=share * self.mains,
            planes=share * self.planes,
        )

    def alone(self) -> Iterator[Network]:
        """Yield a network of each member."""
        for m in range(len(self.baseline)):
            one = slice(m, m + 1)
            yield replace(
                self, baseline=self.baseline[one], mains=self.mains[one], planes=self.planes[one]
            )

    def margins(self, x: Floats) -> Floats:
        """Return the log hazards of many projects: (n, columns) -> (n, K)."""
        if not len(x):
            return np.empty((0, self.baseline.shape[1]))
        return Additive.build(self, x[:1], np.ones(1)).margins(x)  # any background will do

    @classmethod
    def read(cls, file: Path) -> Network:
        """Read the nodes that `write` wrote; the file's digest has been checked before."""
        return cls(**load_file(file))


def knots_of(x: Floats, nodes: int) -> Floats:
    """Return the knots of every column, at evenly spaced quantiles of what is known of it.

    Args:
        x: (n, columns) encoded.
        nodes: of a line, at most.

    Returns:
        (columns, nodes), padded with +inf; a column of which nothing is known has its knot at 0.
    """
    knots = np.full((x.shape[1], nodes), np.inf)
    for column, values in enumerate(x.T):
        known = values[~np.isnan(values)]
        found = np.unique(np.quantile(known, np.linspace(0, 1, nodes))) if len(known) else [0.0]
        knots[column, : len(found)] = found
    return knots


def peaks(edges_months: Longs, peaks_months: tuple[float, ...]) -> Floats:
    """Return (J, K) hats over the age buckets' middles: nonnegative, each bucket's sum one.

    >>> peaks(np.array([0, 6, 18, 42]), (3.0, 30.0)).round(2).tolist()
    [[1.0, 0.67, 0.0], [0.0, 0.33, 1.0]]
    """
    middle = (edges_months[:-1] + edges_months[1:]) / 2
    rows = [np.interp(middle, peaks_months, row) for row in np.eye(len(peaks_months))]
    return np.array(rows)


class Nodes(NamedTuple):
    """All nodes and expectations as the compiled loop reads them."""

    knots: Floats  # (columns, N)
    coarse: Floats  # (columns, C)
    pairs: Longs  # (pairs, 2)
    lines: Floats  # (columns, N + 1, J) less their expectation
    planes: Floats  # (pairs, C + 1, C + 1, J)
    first: Floats  # (pairs, C + 1, J) E over the second column, a line in the first
    second: Floats  # (pairs, C + 1, J) E over the first, a line in the second
    both: Floats  # (pairs, J) E over both
    members_lines: Floats  # (columns, N + 1, J, members)
    members_planes: Floats  # (pairs, C + 1, C + 1, J, members)


@dataclass(frozen=True)
class Reading:
    """One project seen by a network.

    Attributes:
        x: (columns,) encoded.
        margins: (K,) log hazards.
        phi: (columns, J) what each column adds to each hat, over the background's mean.
        scores: (members, J) what each member adds up to.
    """

    network: Additive
    x: Floats
    margins: Floats
    phi: Floats
    scores: Floats

    def contributions(self, weights: Floats) -> Floats:
        """Return (columns,) the Shapley values of sum(weights * margins), weights (K,)."""
        return np.asarray(self.phi @ (self.network.basis @ weights))

    def spread(self, weights: Floats) -> float:
        """Return the standard deviation over members of sum(weights * margins), weights (K,)."""
        if len(self.scores) < 2:
            return 0.0
        network = self.network
        each = self.scores @ (network.basis @ weights) + network.baselines @ weights
        return float(each.std(ddof=1))


@dataclass(frozen=True)
class Additive:
    """A network beside one weighted background, ready to answer."""

    nodes: Nodes
    basis: Floats  # (J, K)
    baselines: Floats  # (members, K)
    base: Floats  # (K,) mean margins of the background

    @classmethod
    def build(cls, network: Network, background: Floats, weight: Floats) -> Additive:
        """Average the members and take all expectations over the background.

        Args:
            network: the members' nodes.
            background: (rows, columns), encoded; NaN is missing.
            weight: (rows,), >= 0; doubling a weight equals repeating its row.
        """
        w = weight / weight.sum()
        fine = hats(background, network.knots)  # (rows, columns, N + 1)
        coarse = hats(background, network.coarse)
        lines, planes = network.mains.mean(axis=0), network.planes.mean(axis=0)
        lines = lines - np.einsum("r,rcn,cnj->cj", w, fine, lines)[:, None]
        left, right = coarse[:, network.pairs[:, 0]], coarse[:, network.pairs[:, 1]]
        joint = np.einsum("r,rpa,rpb->pab", w, left, right)  # (pairs, C + 1, C + 1)
        nodes = Nodes(
            network.knots,
            network.coarse,
            network.pairs,
            np.ascontiguousarray(lines),
            np.ascontiguousarray(planes),
            np.einsum("pb,pabj->paj", joint.sum(axis=1), planes),
            np.einsum("pa,pabj->pbj", joint.sum(axis=2), planes),
            np.einsum("pab,pabj->pj", joint, planes),
            np.ascontiguousarray(np.moveaxis(network.mains, 0, -1)),
            np.ascontiguousarray(np.moveaxis(network.planes, 0, -1)),
        )
        mean = np.einsum("r,rcn,cnj->j", w, fine, network.mains.mean(axis=0))
        base = network.baseline.mean(axis=0) + (mean + nodes.both.sum(axis=0)) @ network.basis
        return cls(nodes, network.basis, network.baseline, base)

    def read(self, x: Floats) -> Reading:
        """See one project: (columns,) encoded, NaN where missing."""
        columns, hats_ = len(x), len(self.basis)
        phi = np.zeros((columns, hats_))
        scores = np.zeros((hats_, len(self.baselines)))
        _read(x, self.nodes, phi, scores)
        margins = self.base + phi.sum(axis=0) @ self.basis
        return Reading(self, x, margins, phi, scores.T)

    def group_dividends(self, x: Floats, group: Longs) -> Floats:
        """Return the dividends of all coalitions of groups, (2^G, K); see `groups.py`.

        A plane of two columns in two groups p and q has, over the expectations above,

            d(p) = E g(x_i, Z_l) - E g,   d(q) likewise,   d(p, q) = g - E g - d(p) - d(q)

        Args:
            x: (columns,) encoded, NaN where missing.
            group: (columns,) which group each is of, counted from 0.
        """
        shares = np.zeros((1 << (int(group.max()) + 1), len(self.basis)))
        _divide(x, self.nodes, 1 << group, shares)
        dividends = shares @ self.basis
        dividends[0] += self.base
        return np.asarray(dividends)

    def margins(self, x: Floats) -> Floats:
        """Return the log hazards of many projects: (n, columns) -> (n, K)."""
        sums = np.zeros((len(x), len(self.basis)))
        _sums(np.ascontiguousarray(x), self.nodes, len(self.baselines), sums)
        return np.asarray(self.base + sums @ self.basis)


def hats(x: Floats, knots: Floats) -> Floats:
    """Return the nodes' weights n(x): (n, columns) -> (n, columns, N + 1), the last of missing.

    >>> hats(np.array([[0.5], [9.0], [np.nan]]), np.array([[0.0, 1.0, np.inf]])).tolist()
    [[[0.5, 0.5, 0.0, 0.0]], [[0.0, 1.0, 0.0, 0.0]], [[0.0, 0.0, 0.0, 1.0]]]
    """
    n, columns = x.shape
    out = np.zeros((n, columns, knots.shape[1] + 1))
    at, share = np.empty((n, columns), np.int64), np.empty((n, columns))
    _places(np.ascontiguousarray(x), knots, at, share)
    rows, cols = np.ogrid[:n, :columns]
    out[rows, cols, at] = 1 - share
    out[rows, cols, np.minimum(at + 1, knots.shape[1])] += share
    return out


@njit(cache=True)
def _place(value: float, knots: Floats) -> tuple[int, float]:
    """Return the node below a value and the share of the one above; the last node if missing."""
    if np.isnan(value):
        return len(knots), 0.0
    if value <= knots[0]:
        return 0, 0.0
    low, high = 0, len(knots)
    while high - low > 1:  # knots[low] < value, and what is past the last is +inf
        middle = (low + high) // 2
        if knots[middle] < value:
            low = middle
        else:
            high = middle
    if high == len(knots) or np.isinf(knots[high]):
        return low, 0.0
    return low, (value - knots[low]) / (knots[high] - knots[low])


@njit(cache=True)
def _places(x: Floats, knots: Floats, at: Longs, share: Floats) -> None:
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            at[r, c], share[r, c] = _place(x[r, c], knots[c])


@njit(cache=True)
def _read(x: Floats, nodes: Nodes, phi: Floats, scores: Floats) -> None:
    """Add every line and plane to its columns' shares, and to the members' sums."""
    hats_ = phi.shape[1]
    for c in range(len(x)):
        at, share = _place(x[c], nodes.knots[c])
        above = min(at + 1, nodes.knots.shape[1])
        for j in range(hats_):
            low, high = nodes.lines[c, at, j], nodes.lines[c, above, j]
            phi[c, j] += low + share * (high - low)
            for m in range(scores.shape[1]):
                low, high = nodes.members_lines[c, at, j, m], nodes.members_lines[c, above, j, m]
                scores[j, m] += low + share * (high - low)
    last = nodes.coarse.shape[1]
    for p in range(len(nodes.pairs)):
        c, d = nodes.pairs[p]
        at, share = _place(x[c], nodes.coarse[c])
        to, part = _place(x[d], nodes.coarse[d])
        above, over = min(at + 1, last), min(to + 1, last)
        for j in range(hats_):
            g = nodes.planes[p, :, :, j]
            near = g[at, to] + part * (g[at, over] - g[at, to])
            far = g[above, to] + part * (g[above, over] - g[above, to])
            value = near + share * (far - near)
            one = nodes.first[p, at, j] + share * (nodes.first[p, above, j] - nodes.first[p, at, j])
            two = nodes.second[p, to, j] + part * (
                nodes.second[p, over, j] - nodes.second[p, to, j]
            )
            phi[c, j] += 0.5 * (value - two + one - nodes.both[p, j])
            phi[d, j] += 0.5 * (value - one + two - nodes.both[p, j])
            for m in range(scores.shape[1]):
                h = nodes.members_planes[p, :, :, j, m]
                near = h[at, to] + part * (h[at, over] - h[at, to])
                far = h[above, to] + part * (h[above, over] - h[above, to])
                scores[j, m] += near + share * (far - near)


@njit(cache=True)
def _divide(x: Floats, nodes: Nodes, player: Longs, shares: Floats) -> None:
    """Add every line and plane to the coalitions that it speaks of, player by its bit."""
    for c in range(len(x)):
        at, share = _place(x[c], nodes.knots[c])
        above = min(at + 1, nodes.knots.shape[1])
        low, high = nodes.lines[c, at], nodes.lines[c, above]
        shares[player[c]] += low + share * (high - low)
    last = nodes.coarse.shape[1]
    for p in range(len(nodes.pairs)):
        c, d = nodes.pairs[p]
        at, share = _place(x[c], nodes.coarse[c])
        to, part = _place(x[d], nodes.coarse[d])
        above, over = min(at + 1, last), min(to + 1, last)
        g, first, second = nodes.planes[p], nodes.first[p], nodes.second[p]
        near = g[at, to] + part * (g[at, over] - g[at, to])
        far = g[above, to] + part * (g[above, over] - g[above, to])
        whole = near + share * (far - near) - nodes.both[p]
        if player[c] == player[d]:
            shares[player[c]] += whole
            continue
        one = first[at] + share * (first[above] - first[at]) - nodes.both[p]
        two = second[to] + part * (second[over] - second[to]) - nodes.both[p]
        shares[player[c]] += one
        shares[player[d]] += two
        shares[player[c] | player[d]] += whole - one - two


@njit(cache=True)
def _sums(x: Floats, nodes: Nodes, members: int, sums: Floats) -> None:
    """Add up the shares of all columns, for many rows."""
    for r in range(len(x)):
        phi, scores = np.zeros((x.shape[1], sums.shape[1])), np.zeros((sums.shape[1], members))
        _read(x[r], nodes, phi, scores)
        sums[r] += phi.sum(axis=0)
