"""The compiled arithmetic of a price and of its adjoint.

It stands in one file on purpose: numba's cache looks at the file of the kernel that is called, so a
kernel that called into another file would go on running the old code after that file has changed.

Symbols, as in `legs.py`: S survival, e_k share of the amount outstanding in period k, D_k discount
factor at its end, Δ its length in years. Arrays: margins (3, K) with rows DEFAULT, EXIT, LGD.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BUCKET, MONTHS, PERIOD, CLOSES = 0, 1, 2, 3  # columns of steps (J, 4)
# columns of grid (P, 6): e_k, D_{k-1/2}, Δ D_k, D_{k-1} - D_k, ρ_k, φ_k
SHARE, MIDPOINT, COUPON, FUNDING, RISK, FIXED = range(6)
# of basel (8,): the last is K itself if it does not depend on PD, else -1
DECAY, LOW, HIGH, FACTOR, REDUCTION, REGULATORY_LGD, WITH_MATURITY, FLAT = range(8)
# of numbers (5,): bp per K, loadings in bp, Δ, value of other income, cost of a unit of loss
SCALE, LOADINGS, YEARS, INCOME, GROSS = range(5)
# columns of a breakdown: expected loss less other income and capital in bp, funding rate, average
# life in years before its clip to [1, 5], PD within 12 months, mean LGD, present value of a figure
# of 1 and of what is outstanding at default, over which the LGD is the mean, and the figure
LOSS_BPS, CAPITAL_BPS, FUNDING_RATE, MATURITY, PD_12, MEAN_LGD, PAYING_VALUE, DEFAULTED = range(8)
FIGURE, COLUMNS = 8, 9
# what the passes know beside it: capital in bp by PD; 1 / (1 - F'), the figure by that at a fixed
# rate and F, see `_solve`
BY_PD, PULL, GAIN, RATE = range(9, 13)

PD_FLOOR = 0.0005  # CRE32.4
PD_CEILING = 1 - 1e-12  # the quantile of 1 is infinite; K is nil there
QUANTILE_999 = 3.090232306167813  # G(0.999)
RATE_TOLERANCE = 1e-14
MOST_STEPS = 60
LANES = 64  # rows that are priced side by side


class Legs(NamedTuple):
    """What does not change between two sets of margins; what it means stands in `legs.py`."""

    steps: Ints  # (J, 4) pieces of constant hazard, cut by `schedule.cut`
    shift: Floats  # (J,) added to the log hazard of default
    grid: Floats  # (P, 6)
    basel: Floats  # (8,)
    numbers: Floats  # (5,)
    periods: int  # n <= P: payments; the other periods only reach the twelfth month
    grace: int  # interest-only periods of an annuity, -1 for a schedule that is fixed
    plain: bool = False  # known to have ρ = 1, φ = 0 and no shift: nobody needs to look


class Work(NamedTuple):
    """Room for n sets of margins side by side, which is the last axis; filled by the passes below.

    Loops over it are short and touch few arrays, so that the compiler makes vectors of them.
    """

    run: Ints  # (J,) the first of the steps with the same hazards, at which these stand:
    gone: Floats  # (J, n) probability to leave in a step, if alive at its beginning
    cause: Floats  # (J, n) share of default among those who leave
    lgd: Floats  # (J, n)
    alive: Floats  # (J + 1, n) S at the ends of the steps
    loss: Floats  # (P, n) (LGD ρ + φ) p D_{k-1/2} γ, for a share of 1
    paying: Floats  # (P, n) Δ D_k S_k + Δ/2 D_{k-1/2} (S_{k-1} - S_k)
    share: Floats  # (P, n) e_k
    slope: Floats  # (P, n) de_k / d rate
    sums: Floats  # (5, n) of `_sums`, over the shares
    slopes: Floats  # (5, n) the same over their slopes
    capital: Floats  # (4, n) of `unexpected_loss`
    parts: Floats  # (13, n) what LOSS_BPS to RATE name
    rate: Floats  # (n,) annual, at which an annuity is repaid
    left: Floats  # (n,) who leaves in the step, then who defaults


@njit(cache=True, error_model="numpy")
def normal_cdf(x: float) -> float:
    """Return N(x)."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


@njit(cache=True, error_model="numpy")
def normal_density(x: float) -> float:
    """Return the density of the standard normal distribution at x."""
    return math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)


@njit(cache=True, error_model="numpy")
def normal_quantile(p: float) -> float:
    """Return G(p), 0 < p < 1, to about 15 digits.

    Source: Abramowitz & Stegun 26.2.23 (error 4.5e-4), then Halley's step twice, each of which
    cubes the error; done in the lower tail, where N(x) keeps its relative precision.
    """
    tail = min(p, 1 - p)
    t = math.sqrt(-2 * math.log(tail))
    over = 2.515517 + t * (0.802853 + t * 0.010328)
    x = over / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t
    for _ in range(2):
        u = (normal_cdf(x) - tail) / normal_density(x)
        x -= u / (1 + 0.5 * u * x)
    return x if p < 0.5 else -x


@njit(cache=True, error_model="numpy")
def unexpected_loss(pd: float, basel: Floats) -> tuple[float, float, float, float]:
    """Return (L, dL/dPD, b, db/dPD): K without its maturity term, and the maturity slope b.

    The formulas stand in `capital/irb.py`. Below the floor of PD both derivatives are nil.
    """
    if basel[FLAT] >= 0:
        return basel[FLAT], 0.0, 0.0, 0.0
    clipped = min(max(pd, PD_FLOOR), PD_CEILING)
    span = -math.expm1(-basel[DECAY])
    e = -math.expm1(-basel[DECAY] * clipped) / span
    r = basel[FACTOR] * (basel[LOW] * e + basel[HIGH] * (1 - e)) - basel[REDUCTION]
    g = normal_quantile(clipped)
    root = math.sqrt(1 - r)
    u = (g + math.sqrt(r) * QUANTILE_999) / root
    loss = basel[REGULATORY_LGD] * (normal_cdf(u) - clipped)
    slope = 0.11852 - 0.05478 * math.log(clipped)
    b = slope * slope * basel[WITH_MATURITY]
    if clipped != pd:
        return loss, 0.0, b, 0.0
    e_pd = basel[DECAY] * math.exp(-basel[DECAY] * pd) / span
    r_pd = basel[FACTOR] * (basel[LOW] - basel[HIGH]) * e_pd
    u_pd = (1 / normal_density(g) + 0.5 * QUANTILE_999 / math.sqrt(r) * r_pd) / root
    u_pd += 0.5 * u * r_pd / (1 - r)
    loss_pd = basel[REGULATORY_LGD] * (normal_density(u) * u_pd - 1)
    return loss, loss_pd, b, -2 * slope * 0.05478 / pd * basel[WITH_MATURITY]


@njit(cache=True, error_model="numpy")
def maturity_term(maturity: float, b: float) -> tuple[float, float, float]:
    """Return (A, dA/db, dA/dM), A = (1 + (M-2.5) b)/(1 - 1.5 b), M the maturity within [1, 5]."""
    m = min(max(maturity, 1.0), 5.0)
    under = 1 - 1.5 * b
    by_maturity = b / under if m == maturity else 0.0
    return (1 + (m - 2.5) * b) / under, (m - 1) / (under * under), by_maturity


@njit(cache=True, error_model="numpy")
def amortise(
    rate: Floats, years: float, periods: int, grace: int, share: Floats, slope: Floats
) -> None:
    """Fill the shares outstanding of annuities (P, n), and their slopes by the rates (n,).

    Equal payments make the principal parts grow by 1 + i, i = rate Δ, from each to the next, so

        e_{g+1+j} = 1 - T_j / T_N,   T_{j+1} = 1 + (1+i) T_j,   T_0 = 0,   N = n - g

    which needs neither a division by i nor a difference of two near numbers.
    """
    n = len(rate)
    share[:grace], share[grace] = 1.0, 0.0
    slope[: grace + 1] = 0.0
    for k in range(grace + 1, periods):
        for i in range(n):
            share[k, i] = 1 + (1 + rate[i] * years) * share[k - 1, i]
            slope[k, i] = share[k - 1, i] + (1 + rate[i] * years) * slope[k - 1, i]
    scale, relative = np.empty(n), np.empty(n)  # 1 / T_N, and the slope of T_N by i over it
    for i in range(n):
        growth = 1 + rate[i] * years
        scale[i] = 1 / (1 + growth * share[periods - 1, i])
        relative[i] = (share[periods - 1, i] + growth * slope[periods - 1, i]) * scale[i]
    for k in range(grace, periods):
        for i in range(n):
            repaid = share[k, i] * scale[i]
            slope[k, i] = (repaid * relative[i] - slope[k, i] * scale[i]) * years
            share[k, i] = 1 - repaid


@njit(cache=True, error_model="numpy")
def _meet(margins: Floats, legs: Legs, work: Work, j: int) -> None:
    """Fill what the margins make of a step."""
    bucket, months, moved = legs.steps[j, BUCKET], legs.steps[j, MONTHS], legs.shift[j]
    gone, cause, lgd = work.gone, work.cause, work.lgd
    for i in range(len(margins)):
        default, exit_ = math.exp(margins[i, 0, bucket] + moved), math.exp(margins[i, 1, bucket])
        lgd[j, i] = 1 / (1 + math.exp(-margins[i, 2, bucket]))
        gone[j, i] = -math.expm1(-(default + exit_) * months)
        cause[j, i] = default / (default + exit_) if default > 0 else 0.0


@njit(cache=True, error_model="numpy")
def _survive(margins: Floats, legs: Legs, work: Work) -> None:
    """Walk the steps forward; fill the room but for what depends on the shares."""
    steps, grid = legs.steps, legs.grid
    half, gross, elapsed = 0.5 * legs.numbers[YEARS], legs.numbers[GROSS], 0
    alive, gone, cause, lgd, left = work.alive, work.gone, work.cause, work.lgd, work.left
    loss, paying, pd, n = work.loss, work.paying, work.parts[PD_12], len(margins)
    loss[:], paying[:], pd[:], alive[0] = 0.0, 0.0, 0.0, 1.0
    for j in range(len(steps)):
        h = work.run[j]
        if h == j:
            _meet(margins, legs, work, j)
        k = steps[j, PERIOD]
        middle, coupon = grid[k, MIDPOINT], steps[j, CLOSES] * grid[k, COUPON]
        risk, fixed = gross * middle * grid[k, RISK], gross * middle * grid[k, FIXED]
        for i in range(n):
            left[i] = alive[j, i] * gone[h, i]
            alive[j + 1, i] = alive[j, i] - left[i]
        for i in range(n):
            paying[k, i] += half * middle * left[i] + coupon * alive[j + 1, i]
        for i in range(n):
            left[i] *= cause[h, i]
            loss[k, i] += (lgd[h, i] * risk + fixed) * left[i]
        elapsed += steps[j, MONTHS]
        if elapsed <= 12:
            for i in range(n):
                pd[i] += left[i]
    for i in range(n):
        of = work.capital
        of[0, i], of[1, i], of[2, i], of[3, i] = unexpected_loss(pd[i], legs.basel)


@njit(cache=True, error_model="numpy")
def _sums(weights: Floats, legs: Legs, work: Work, sums: Floats) -> None:
    """Fill Σ over the periods of weights times: loss, paying, cost of funds, coupon, years."""
    n, years, loss, paying = len(work.rate), legs.numbers[YEARS], work.loss, work.paying
    sums[:] = 0.0
    for k in range(legs.periods):
        cost, coupon = legs.grid[k, FUNDING], legs.grid[k, COUPON]
        for i in range(n):
            sums[0, i] += weights[k, i] * loss[k, i]
            sums[1, i] += weights[k, i] * paying[k, i]
        for i in range(n):
            sums[2, i] += weights[k, i] * cost
            sums[3, i] += weights[k, i] * coupon
            sums[4, i] += weights[k, i] * years


@njit(cache=True, error_model="numpy")
def _weigh(legs: Legs, work: Work) -> None:
    """Fill the parts of the prices at the shares, and how they pull."""
    parts, sums, by, capital = work.parts, work.sums, work.slopes, work.capital
    scale, income, loadings = legs.numbers[SCALE], legs.numbers[INCOME], legs.numbers[LOADINGS]
    for i in range(len(work.rate)):
        paying, coupon, life, unexpected = sums[1, i], sums[3, i], sums[4, i], capital[0, i]
        stretch, stretch_b, stretch_m = maturity_term(life, capital[2, i])
        loss_bps = 1e4 * (sums[0, i] - income) / paying
        capital_bps = scale * unexpected * stretch
        by_pd = capital[1, i] * stretch + unexpected * stretch_b * capital[3, i]
        funding = sums[2, i] / coupon if coupon > 0 else 0.0
        pull, gain = 1.0, 1.0
        if legs.grace >= 0:
            funding_r = (by[2, i] - funding * by[3, i]) / coupon
            spread_r = (1e4 * by[0, i] - loss_bps * by[1, i]) / paying
            spread_r += scale * unexpected * stretch_m * by[4, i]
            pull = 1 / (1 - funding_r - 1e-4 * spread_r)
            gain = (1 - funding_r) * pull
        parts[LOSS_BPS, i], parts[CAPITAL_BPS, i] = loss_bps, capital_bps
        parts[FUNDING_RATE, i], parts[MATURITY, i], parts[PAYING_VALUE, i] = funding, life, paying
        parts[BY_PD, i], parts[PULL, i], parts[GAIN, i] = scale * by_pd, pull, gain
        parts[FIGURE, i] = loss_bps + capital_bps + loadings
        parts[RATE, i] = funding + 1e-4 * parts[FIGURE, i]


@njit(cache=True, error_model="numpy")
def _solve(margins: Floats, legs: Legs, work: Work) -> None:
    """Fill the room for margins (n, 3, K); for annuities, at the rate r their own balances imply.

    Balances depend on r, so r = F(r) = funding(r) + spread(r) / 1e4. Newton's step is
    (F - r) / (1 - F'); F' is small, so two or three steps do. At the root

        d spread / d margin = (∂ spread / ∂ margin at fixed r) (1 - funding') / (1 - F')

    where the last factor is `gain` and F' = funding' + spread' / 1e4. A rate at its root stays
    there, so that no price depends on those beside it.
    """
    rate, parts = work.rate, work.parts
    _survive(margins, legs, work)
    for k in range(len(legs.grid)):
        work.share[k] = legs.grid[k, SHARE]  # of an annuity: linear, to begin with
    _sums(work.share, legs, work, work.sums)
    _weigh(legs, work)
    rate[:] = parts[RATE]
    for _ in range(MOST_STEPS if legs.grace >= 0 else 0):
        amortise(rate, legs.numbers[YEARS], legs.periods, legs.grace, work.share, work.slope)
        _sums(work.share, legs, work, work.sums)
        _sums(work.slope, legs, work, work.slopes)
        _weigh(legs, work)
        moved = False
        for i in range(len(rate)):
            step = (parts[RATE, i] - rate[i]) * parts[PULL, i]
            if abs(step) > RATE_TOLERANCE * max(1.0, abs(rate[i])):
                rate[i] += step
                moved = True
        if not moved:
            break
    _severity(legs, work)


@njit(cache=True, error_model="numpy")
def _adjoint(margins: Floats, legs: Legs, work: Work, i: int, gradient: Floats) -> None:
    """Walk the steps backward and fill gradient (3, K), the derivative of the i-th spread in bp.

    A bar is the derivative of the figure by the quantity it stands on:

        left = S gone,  S' = S - left,  defaulted = cause left,  per step
    """
    steps, shift, grid, parts = legs.steps, legs.shift, legs.grid, work.parts[:, i]
    loss_bar = 1e4 / parts[PAYING_VALUE] * parts[GAIN]
    paying_bar = -parts[LOSS_BPS] / parts[PAYING_VALUE] * parts[GAIN]
    pd_bar = parts[BY_PD] * parts[GAIN]
    half, gross = 0.5 * legs.numbers[YEARS], legs.numbers[GROSS]
    gradient[:] = 0.0
    alive_bar, gone_bar, cause_bar, lgd_bar = 0.0, 0.0, 0.0, 0.0
    elapsed = steps[:, MONTHS].sum()
    for j in range(len(steps) - 1, -1, -1):
        bucket, months, k, h = steps[j, BUCKET], steps[j, MONTHS], steps[j, PERIOD], work.run[j]
        gone, cause, lgd = work.gone[h, i], work.cause[h, i], work.lgd[h, i]
        left = work.alive[j, i] * gone
        exposed = work.share[k, i] * grid[k, MIDPOINT]
        alive_bar += paying_bar * work.share[k, i] * steps[j, CLOSES] * grid[k, COUPON]
        defaulted_bar = loss_bar * exposed * gross * (lgd * grid[k, RISK] + grid[k, FIXED])
        if elapsed <= 12:
            defaulted_bar += pd_bar
        left_bar = defaulted_bar * cause + paying_bar * half * exposed - alive_bar
        gone_bar += left_bar * work.alive[j, i]
        cause_bar += defaulted_bar * left
        lgd_bar += loss_bar * exposed * gross * grid[k, RISK] * cause * left
        alive_bar += left_bar * gone
        elapsed -= months
        if h < j:
            continue
        default, exit_ = math.exp(margins[0, bucket] + shift[j]), math.exp(margins[1, bucket])
        total = default + exit_
        swap = cause_bar * (default / total) * (exit_ / total) if total > 0 else 0.0
        stay = months * math.exp(-total * months)
        gradient[0, bucket] += gone_bar * stay * default + swap
        gradient[1, bucket] += gone_bar * stay * exit_ - swap
        gradient[2, bucket] += lgd_bar * lgd * (1 - lgd)
        gone_bar, cause_bar, lgd_bar = 0.0, 0.0, 0.0


@njit(cache=True, error_model="numpy")
def _room(rows: int, legs: Legs) -> Work:
    """Return room for as many rows as are best priced at once."""
    n = max(1, -(-rows // max(1, -(-rows // LANES))))
    steps, shift, run = legs.steps, legs.shift, np.arange(len(legs.steps))
    for j in range(1, len(steps)):
        same = steps[j, BUCKET] == steps[j - 1, BUCKET] and steps[j, MONTHS] == steps[j - 1, MONTHS]
        if same and shift[j] == shift[j - 1]:
            run[j] = run[j - 1]
    s, p = np.empty((4, len(steps) + 1, n)), np.empty((4, len(legs.grid), n))
    sums, capital = np.zeros((2, 5, n)), np.empty((4, n))
    parts, row = np.empty((13, n)), np.empty((2, n))
    by_step, by_period = (s[0], s[1], s[2], s[3]), (p[0], p[1], p[2], p[3])
    return Work(run, *by_step, *by_period, sums[0], sums[1], capital, parts, row[0], row[1])


@njit(cache=True, error_model="numpy")
def _severity(legs: Legs, work: Work) -> None:
    """Fill the mean LGD and what is outstanding at default."""
    defaulted, lost, left = work.parts[DEFAULTED], work.parts[MEAN_LGD], work.left
    alive, gone, cause, lgd, share = work.alive, work.gone, work.cause, work.lgd, work.share
    defaulted[:], lost[:] = 0.0, 0.0
    for j in range(len(legs.steps)):
        k, h = legs.steps[j, PERIOD], work.run[j]
        for i in range(len(left)):
            exposed = share[k, i] * legs.grid[k, MIDPOINT]
            left[i] = exposed * alive[j, i] * gone[h, i] * cause[h, i]
        for i in range(len(left)):
            defaulted[i] += left[i]
            lost[i] += left[i] * lgd[h, i]
    for i in range(len(left)):
        lost[i] = lost[i] / defaulted[i] if defaulted[i] > 0 else 0.0


@njit(cache=True, error_model="numpy")
def breakdown(margins: Floats, legs: Legs) -> Floats:
    """Return (rows, 9) what the columns LOSS_BPS to FIGURE name, of margins (rows, 3, K)."""
    work = _room(len(margins), legs)
    n, out = len(work.rate), np.empty((len(margins), COLUMNS))
    for start in range(0, len(margins), n):
        first = min(start, len(margins) - n)  # the last run is as long as the others
        _solve(margins[first : first + n], legs, work)
        out[first : first + n] = work.parts[:COLUMNS].T
    return out


@njit(cache=True, error_model="numpy")
def gradients(margins: Floats, legs: Legs) -> tuple[Floats, Floats]:
    """Return the `breakdown` and (rows, 3, K) the derivatives of the figures by every margin."""
    work = _room(len(margins), legs)
    n, out, slopes = len(work.rate), np.empty((len(margins), COLUMNS)), np.empty(margins.shape)
    for start in range(0, len(margins), n):
        first = min(start, len(margins) - n)
        _solve(margins[first : first + n], legs, work)
        out[first : first + n] = work.parts[:COLUMNS].T
        for i in range(n):
            _adjoint(margins[first + i], legs, work, i, slopes[first + i])
    return out, slopes
