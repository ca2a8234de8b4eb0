"""An additive network as torch learns it: parameters without bounds, nodes that keep directions.

    log h_k(x) = a_k + sum_j B_jk ( sum_i f_ij(x_i) + sum_(i,l) g_ilj(x_i, x_l) )

f is piecewise linear between the quantiles of its column, g is a sum of products of two such lines
on coarser ones, and a missing value has a node of its own. The hats B over age are nonnegative and
sum to one, so what rises in every f_j and g_j rises at every age.

A column with a direction has nodes that are sums of steps |v| in it. In a pair, the other factor is
then nonnegative; where both columns have one, every other product is  -(A's rest)(B's rest), so
that the pair can bend either way.

Source: additive models with pairs, Lou, Caruana, Gehrke & Hooker (2013); piecewise-linear encoding,
Gorishniy, Rubachev & Babenko (2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from models.additive import Network, hats
from training.periods import Floats


class Net(nn.Module):
    """One member."""

    def __init__(
        self, layout: Network, signs: Sequence[int], *, rank: int, baseline: Floats
    ) -> None:
        """Start near nothing; a column with a direction needs a first small step to learn at all.

        Args:
            layout: a network without members: its knots, pairs and hats.
            signs: +1, -1 or 0 a column.
            rank: products a pair.
            baseline: (K,) log hazards to start from.
        """
        super().__init__()
        columns, nodes = layout.knots.shape
        pairs, coarse, peaks = len(layout.pairs), layout.coarse.shape[1], len(layout.basis)
        sign = torch.tensor(signs, dtype=torch.float32)[:, None, None]
        self.layout, self.sign = layout, sign  # (columns, 1, 1)
        self.basis = torch.tensor(layout.basis, dtype=torch.float32)  # (J, K)
        first, second = layout.pairs.T
        self.left, self.right = sign[first], sign[second]  # (pairs, 1, 1)
        self.turned = torch.ones(pairs, 1, rank)
        self.turned[((self.left != 0) & (self.right != 0)).flatten(), :, 1::2] = -1.0
        small = 0.002 * torch.randn(columns, nodes - 1, peaks)
        self.steps = nn.Parameter(small + 0.01 * (sign != 0))
        self.missing = nn.Parameter(torch.zeros(columns, 1, peaks))
        self.baseline = nn.Parameter(torch.tensor(baseline, dtype=torch.float32))
        self.first = nn.Parameter(0.3 * torch.randn(pairs, coarse + 1, rank))
        self.second = nn.Parameter(0.3 * torch.randn(pairs, coarse + 1, rank))
        self.product = nn.Parameter(0.01 * torch.randn(pairs, rank, peaks))

    def mains(self) -> Tensor:
        """Return the lines' nodes: (columns, nodes + 1, J), the last of a missing value."""
        steps = torch.where(self.sign != 0, self.sign * self.steps.abs(), self.steps)
        start = torch.zeros_like(self.missing)
        return torch.cat([start, steps.cumsum(1), self.missing], 1)

    def factors(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return both factors' nodes, (pairs, coarse + 1, rank), and weights (pairs, rank, J)."""
        first = _factor(self.first, own=self.left * self.turned, other=self.right)
        second = _factor(self.second, own=self.right * self.turned, other=self.left)
        bound = (self.left != 0) | (self.right != 0)
        weight = torch.where(bound, self.product.abs(), self.product)
        return first, second, weight * self.turned.transpose(1, 2)

    def planes(self) -> Tensor:
        """Return the pairs' nodes: (pairs, coarse + 1, coarse + 1, J)."""
        return torch.einsum("par,pbr,prj->pabj", *self.factors())

    def forward(self, x: Floats) -> Tensor:
        """Return log hazards: (n, columns) encoded -> (n, K)."""
        fine = torch.tensor(hats(x, self.layout.knots), dtype=torch.float32)
        shapes = torch.einsum("ncb,cbj->nj", fine, self.mains())
        if len(self.layout.pairs):
            coarse = torch.tensor(hats(x, self.layout.coarse), dtype=torch.float32)
            left, right = self.layout.pairs.T
            first, second, weight = self.factors()
            a = torch.einsum("npb,pbr->npr", coarse[:, left], first)
            b = torch.einsum("npb,pbr->npr", coarse[:, right], second)
            shapes = shapes + torch.einsum("npr,prj->nj", a * b, weight)
        return shapes @ self.basis + self.baseline


def gathered(layout: Network, nets: Sequence[Net]) -> Network:
    """Return the network whose members are these."""

    def stacked(parts: Sequence[Tensor]) -> Floats:
        return np.stack([part.numpy() for part in parts]).astype(np.float64)

    with torch.no_grad():
        return replace(
            layout,
            baseline=stacked([net.baseline for net in nets]),
            mains=stacked([net.mains() for net in nets]),
            planes=stacked([net.planes() for net in nets]),
        )


def _factor(raw: Tensor, *, own: Tensor, other: Tensor) -> Tensor:
    """Return a factor's nodes: rising or falling in its own direction, nonnegative beside one.

    Args:
        raw: (pairs, coarse + 1, rank), the last of a missing value.
        own: (pairs, 1, rank) +1 rises, -1 falls, 0 is free.
        other: (pairs, 1, 1) direction of the other column.
    """
    lines, missing = raw[:, :-1], raw[:, -1:]
    up = lines.abs().cumsum(1)
    up = up - up[:, :1]
    down = up[:, -1:] - up
    free = torch.where(other != 0, lines.abs(), lines)
    nodes = torch.where(own > 0, up, torch.where(own < 0, down, free))
    bound = (own != 0) | (other != 0)
    return torch.cat([nodes, torch.where(bound, missing.abs(), missing)], 1)
