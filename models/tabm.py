"""TabM as it serves: small networks that share most of what they know, averaged; bound by nothing.

    log h(x) = mean over members m of  a_m + O_m relu( H relu( sum_c n(x_c)' F_mc + b ) + d )

With n(x) the weights of the knots between which a value lies (or of the node for a missing one), as
in models/additive.py. The members have their own first look F at the columns and their own answer
O; H, b and d are common. The first look is a sum over columns, so a hybrid of a project and a
reference costs no more than adding up their looks; what comes after it has no closed form.

Source: TabM, Gorishniy, Kotelnikov & Babenko (2024), its form "mini" on piecewise-linear encodings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from models.additive import hats
from models.leaves import Floats
from models.shapley import Game
from pricing.errors import ModelError

CHUNK = 64  # rows that pass the networks at once: they stay in a core's cache
HYBRIDS = 4096  # of a project with references, at most: one reference with twelve groups, or ...
MOST_REFERENCES = 64


@dataclass(frozen=True)
class Tabm:
    """The members' weights.

    Attributes:
        knots: (columns, N) ascending, padded with +inf: where the first look bends.
        first: (columns, N + 1, members, width) F; the last node is that of a missing value.
        bias: (width,) b.
        hidden: (width, width) H.
        turn: (width,) d.
        heads: (members, width, K) O.
        baseline: (members, K) a.
    """

    knots: Floats
    first: Floats
    bias: Floats
    hidden: Floats
    turn: Floats
    heads: Floats
    baseline: Floats

    def __post_init__(self) -> None:
        """Refuse weights that do not fit together.

        Raises:
            ModelError: names what has the wrong shape.
        """
        columns, nodes = self.knots.shape
        members, width, buckets = self.heads.shape
        expected = {
            "first": (columns, nodes + 1, members, width),
            "bias": (width,),
            "hidden": (width, width),
            "turn": (width,),
            "baseline": (members, buckets),
        }
        for name, shape in expected.items():
            given = getattr(self, name).shape
            if given != shape:
                raise ModelError(f"tabm.{name} must have shape {shape}, however: {given}")

    def write(self, file: Path) -> None:
        """Write the weights as safetensors."""
        save_file({name: np.ascontiguousarray(value) for name, value in vars(self).items()}, file)

    @classmethod
    def read(cls, file: Path) -> Tabm:
        """Read the weights that `write` wrote; the file's digest has been checked before."""
        return cls(**load_file(file))

    def alone(self) -> Iterator[Tabm]:
        """Yield a model of each member."""
        for m in range(len(self.heads)):
            one = slice(m, m + 1)
            yield replace(
                self,
                first=self.first[:, :, one],
                heads=self.heads[one],
                baseline=self.baseline[one],
            )

    def margins(self, x: Floats) -> Floats:
        """Return the log hazards of many projects: (n, columns) -> (n, K)."""
        parts = [np.empty((0, self.baseline.shape[1]))]
        for at in range(0, len(x), CHUNK):
            rows = hats(x[at : at + CHUNK], self.knots)
            parts.append(self.answer(np.tensordot(rows, self.first, 2).reshape(len(rows), -1)))
        return np.concatenate(parts)

    def looks(self, x: Floats) -> Floats:
        """Return what the first look takes from each column: (n, columns, members * width)."""
        seen = np.einsum("rcn,cnmh->rcmh", hats(x, self.knots), self.first)
        return np.asarray(seen.reshape(*x.shape, -1))

    def answer(self, look: Floats, room: Floats | None = None) -> Floats:
        """Return the log hazards of sums of first looks, which are written over.

        Args:
            look: (rows, members * width).
            room: likewise, for what lies between; None makes it.

        Returns:
            (rows, K).
        """
        members, width, buckets = self.heads.shape
        heads = self.heads.reshape(members * width, buckets) / members
        deep = self._deep(look, np.empty_like(look) if room is None else room)
        return np.asarray(deep @ heads + self.baseline.mean(axis=0))

    def answers(self, look: Floats) -> Floats:
        """Return the log hazards that each member gives: (members * width,) -> (members, K)."""
        members, width, _ = self.heads.shape
        deep = self._deep(look[None].copy(), np.empty((1, len(look)))).reshape(members, 1, width)
        return np.asarray((deep @ self.heads)[:, 0] + self.baseline)

    def _deep(self, look: Floats, room: Floats) -> Floats:
        """Pass the common layers: (rows, members * width) -> room, likewise; look is lost."""
        seen, deep = look.reshape(-1, len(self.bias)), room.reshape(-1, len(self.bias))
        seen += self.bias
        np.maximum(seen, 0.0, out=seen)
        np.matmul(seen, self.hidden, out=deep)
        deep += self.turn
        np.maximum(deep, 0.0, out=deep)
        return room


@dataclass(frozen=True)
class Reading:
    """One project seen by a TabM.

    Attributes:
        x: (columns,) the project.
        margins: (K,) log hazards.
        each: (members, K) of every member.
    """

    x: Floats
    margins: Floats
    each: Floats

    def spread(self, weights: Floats) -> float:
        """Return the standard deviation over members of sum(weights * margins), weights (K,)."""
        return float((self.each @ weights).std(ddof=1)) if len(self.each) > 1 else 0.0


@dataclass(frozen=True)
class Compared:
    """A TabM beside the references that a price of it is compared with, each counting the same.

    Attributes:
        tabm: the members.
        references: (R, columns) encoded.
        seen: (R, columns, members * width) their first looks.
        base: (K,) mean log hazards of the references.
    """

    tabm: Tabm
    references: Floats
    seen: Floats
    base: Floats

    @classmethod
    def build(cls, tabm: Tabm, references: Floats) -> Compared:
        """Look at the references, (R, columns)."""
        return cls(tabm, references, tabm.looks(references), tabm.margins(references).mean(axis=0))

    def read(self, x: Floats) -> Reading:
        """See one project: (columns,) encoded, NaN where missing."""
        look = self.tabm.looks(x[None])[0].sum(axis=0)
        each = self.tabm.answers(look)
        return Reading(x, each.mean(axis=0), each)

    def margins(self, x: Floats) -> Floats:
        """Return the log hazards of many projects: (n, columns) -> (n, K)."""
        return self.tabm.margins(x)

    def hybrids(self, x: Floats, game: Game) -> Floats:
        """Return the mean log hazards of hybrids over the references, (coalitions, K).

        In a hybrid the columns of the players in the coalition are the project's, and all others
        are the reference's.

        Args:
            x: (columns,) the project.
            game: who plays, and which coalitions are asked.
        """
        owners, inside = game.owners.astype(np.float64), game.coalitions.astype(np.float64)
        mine = self.tabm.looks(x[None])[0]  # (columns, members * width)
        room = np.empty((2, CHUNK, mine.shape[1]))  # new memory would cost more than the sums
        out = np.zeros((len(inside), len(self.base)))
        for theirs in self.seen:
            start, moves = theirs.sum(axis=0), owners @ (mine - theirs)
            for at in range(0, len(out), CHUNK):
                some = inside[at : at + CHUNK]
                look = np.matmul(some, moves, out=room[0, : len(some)])
                look += start
                out[at : at + CHUNK] += self.tabm.answer(look, room[1, : len(some)])
        return out / len(self.seen)


def references(tabm: Tabm, background: Floats, weight: Floats, players: int) -> Floats:
    """Return (R, columns) projects of the background that stand for all of it.

    They are those at the middles of R equal slices of the background, by weight, in the order of
    their mean log hazard of default. R is as large as the number of hybrids allows.

    Args:
        tabm: what orders them.
        background: (rows, columns) encoded.
        weight: (rows,), >= 0.
        players: of the game that they will be the base of.
    """
    wanted = max(1, min(HYBRIDS >> players, MOST_REFERENCES, len(background)))
    order = np.argsort(tabm.margins(background).mean(axis=1), kind="stable")
    upto = np.cumsum(weight[order])
    middles = (np.arange(wanted) + 0.5) / wanted * upto[-1]
    return np.asarray(background[order[np.searchsorted(upto, middles)]])
