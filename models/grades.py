"""The master scale: grades of the probability of default within 12 months.

    grade   1          2         3        4        5        6        7        8         9
    PD      < 0.25 %   < 0.5 %   < 1 %    < 2 %    < 4 %    < 8 %    < 16 %   < 32 %    the rest

Every bound is twice the one before. So a grade is worth 20 points of a score whose odds double
every 20 points, and the grades at the two ends are as far apart as PDs of early-stage firms are.
"""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
from numpy.typing import NDArray

MONTHS = 12  # of the PD that is graded
BOUNDS = (0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32)  # a PD at a bound is of the worse
GRADES = tuple(range(1, len(BOUNDS) + 2))


def grade_of(pd: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the grade of each probability of default within 12 months, 1 to 9.

    >>> grade_of(np.array([0.001, 0.0025, 0.03, 0.9])).tolist()
    [1, 2, 5, 9]
    """
    return np.searchsorted(BOUNDS, pd, side="right").astype(np.int64) + 1


def grade(pd: float) -> int:
    """Return the grade of one probability of default within 12 months.

    >>> grade(0.0025), grade(0.9)
    (2, 9)
    """
    return bisect_right(BOUNDS, pd) + 1


def band(grade: int) -> str:
    """Return the PDs of a grade, in words.

    >>> band(1), band(5), band(9)
    ('< 0.25 %', '2 - 4 %', '>= 32 %')
    """
    if grade == 1:
        return f"< {100 * BOUNDS[0]:g} %"
    if grade == len(GRADES):
        return f">= {100 * BOUNDS[-1]:g} %"
    return f"{100 * BOUNDS[grade - 2]:g} - {100 * BOUNDS[grade - 1]:g} %"
