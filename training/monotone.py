"""Whether more of a column moves the risk as its column set promises, at every age."""

from __future__ import annotations

import numpy as np

from models.hazard import HazardModel
from models.leaves import Floats
from pricing.survival import DEFAULT, LGD

STEPS = 12
SLACK = 1e-9  # of a margin: sums of a few hundred leaves, in another order


def violations(model: HazardModel, x: Floats) -> dict[str, int]:
    """Return by column how often a step against its direction is found, of those with one or more.

    Every column with a direction is moved, project by project, over the values that it takes among
    them, and the margins of default and of loss are compared from each value to the next.

    Args:
        model: whose margins are read.
        x: (n, columns) encoded projects.
    """
    found = {}
    for index, column in enumerate(model.column_set.columns):
        known = x[~np.isnan(x[:, index]), index]
        if column.direction.sign and len(known):
            values = np.unique(np.quantile(known, np.linspace(0, 1, STEPS)))
            wrong = _against(model, x, index, values, column.direction.sign)
            if wrong:
                found[column.name] = wrong
    return found


def _against(model: HazardModel, x: Floats, index: int, values: Floats, sign: int) -> int:
    moved = np.repeat(x[None], len(values), axis=0)  # (values, n, columns)
    moved[:, :, index] = values[:, None]
    margins = model.margins(moved.reshape(-1, x.shape[1]))[:, [DEFAULT, LGD]]
    steps = np.diff(margins.reshape(len(values), len(x), -1), axis=0)
    return int((sign * steps < -SLACK).sum())
