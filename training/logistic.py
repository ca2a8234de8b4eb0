"""Logistic regression with weights, by Newton's method."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from training.periods import Floats

STEPS = 50
LONGEST = 1.0  # step of a coefficient
CLOSE = 1e-9


def logistic(
    design: Floats, event: Floats, weight: Floats, *, start: Floats, ridge: Floats
) -> Floats:
    """Return the coefficients b, (columns,), that are most likely under a penalty.

        minimise  sum w ( log(1 + exp(z)) - y z ) + 1/2 sum ridge b^2,    z = design b

    Args:
        design: (n, columns), an intercept being one of them.
        event: (n,) 1.0 where it happened, else 0.0.
        weight: (n,), >= 0.
        start: (columns,) coefficients to begin from.
        ridge: (columns,) penalties, >= 0.
    """
    beta = start
    for _ in range(STEPS):
        p = expit(design @ beta)
        slope = design.T @ (weight * (event - p)) - ridge * beta
        curve = (design * (weight * p * (1 - p))[:, None]).T @ design + np.diag(ridge)
        step = np.linalg.solve(curve, slope)
        beta = beta + np.clip(step, -LONGEST, LONGEST)
        if np.abs(step).max() < CLOSE:
            break
    return beta
