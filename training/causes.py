"""What speaks of each cause in a fitted model: bags of trees, constants, a network of default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from models.additive import Network
from models.leaves import Bag
from models.tabm import Tabm
from pricing.survival import DEFAULT, EXIT, LGD
from training import boost
from training.periods import Floats

ROWS = {"default": DEFAULT, "exit": EXIT, "lgd": LGD}


@dataclass(frozen=True)
class Causes:
    """The speakers of the margins' rows.

    Attributes:
        buckets: K, of age.
        bags: by cause; that of default is absent where the network speaks alone.
        constants: the margin of each cause that has no bag; an exit without one never comes.
        network: of default, added to the share of its bag.
    """

    buckets: int
    bags: Mapping[str, Bag]
    constants: Mapping[str, float] = field(default_factory=dict)
    network: Network | Tabm | None = None

    def margins(self, x: Floats, *, threads: int) -> Floats:
        """Return the margins without an overlay, (n, columns) -> (n, 3, K), trees by LightGBM."""
        out = np.empty((len(x), len(ROWS), self.buckets))
        for cause, row in ROWS.items():
            bag = self.bags.get(cause)
            if bag is not None:
                out[:, row] = bag.share * boost.margins(bag, x, threads=threads)
            else:
                out[:, row] = self.constants.get(cause, -np.inf)
        if self.network is not None:
            trees = out[:, DEFAULT] if "default" in self.bags else 0.0
            out[:, DEFAULT] = trees + self.network.margins(x)
        return out

    def members(self, x: Floats, *, threads: int) -> list[Floats]:
        """Return what the members say of default, (members, n, K), for trees and for networks.

        A member is heard with the others' kind at its mean, so that its spread is its own.
        """
        mean = self.margins(x, threads=threads)[:, DEFAULT]
        kinds = []
        bag = self.bags.get("default")
        if bag is not None:
            alone = [Bag((text,), bag.baseline) for text in bag.boosters]
            kinds.append(
                bag.share * np.array([boost.margins(b, x, threads=threads) for b in alone])
            )
        if self.network is not None:
            kinds.append(np.array([one.margins(x) for one in self.network.alone()]))
        return [mean + each - each.mean(axis=0) for each in kinds]
