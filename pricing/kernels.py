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
# of basel (8,): the last is K itself where it does not depend on PD, -1 where it does
DECAY, LOW, HIGH, FACTOR, REDUCTION, REGULATORY_LGD, WITH_MATURITY, FLAT = range(8)
# of numbers (5,): bp per K, loadings in bp, Δ, present value of other income, and what a unit of
# expected loss costs
SCALE, LOADINGS, YEARS, INCOME, GROSS = range(5)

# columns of a breakdown: expected loss less other income and capital in bp, funding rate, average
# life in years, PD within 12 months, mean LGD, present value of a figure of 1 and of what is
# outstanding at default, over which the LGD is the mean
LOSS_BPS, CAPITAL_BPS, FUNDING_RATE, MATURITY, PD_12, MEAN_LGD, PAYING_VALUE, DEFAULTED = range(8)

PD_FLOOR = 0.0005  # CRE32.4
PD_CEILING = 1 - 1e-12  # the quantile of 1 is infinite; K is nil there
QUANTILE_999 = 3.090232306167813  # G(0.999)
RATE_TOLERANCE = 1e-14
MOST_STEPS = 60


class Legs(NamedTuple):
    """What does not change between two sets of margins; what it means stands in `legs.py`."""

    steps: Ints  # (J, 4) pieces of constant hazard, cut by `schedule.cut`
    shift: Floats  # (J,) added to the log hazard of default
    grid: Floats  # (P, 6)
    basel: Floats  # (8,)
    numbers: Floats  # (5,)
    periods: int  # n <= P: payments; the other periods only reach the twelfth month
    grace: int  # interest-only periods of an annuity, -1 for a schedule that is fixed


class Work(NamedTuple):
    """Room for one set of margins, filled by the passes below."""

    alive: Floats  # (J + 1,) S at the ends of the steps
    gone: Floats  # (J,) probability to leave in the step, if alive at its beginning
    cause: Floats  # (J,) share of default among those who leave
    loss: Floats  # (P,) (LGD ρ + φ) p D_{k-1/2} γ, for a share of 1
    paying: Floats  # (P,) Δ D_k S_k + Δ/2 D_{k-1/2} (S_{k-1} - S_k)
    share: Floats  # (P,) e_k
    slope: Floats  # (P,) de_k / d rate


class Parts(NamedTuple):
    """The price of one set of margins, and what its adjoint needs."""

    loss_bps: float
    capital_bps: float
    funding_rate: float
    maturity: float  # weighted average life in years, before the clip to [1, 5]
    pd: float  # within twelve months
    paying_value: float  # what a spread of 1 earns
    capital_by_pd: float  # bp
    pull: float  # 1 / (1 - F'), see _solve; 1 where the schedule is fixed
    gain: float  # d figure / d figure at a fixed rate; 1 where the schedule is fixed
    rate: float  # annual, of the unclipped price


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
    rate: float, years: float, periods: int, grace: int, share: Floats, slope: Floats
) -> None:
    """Fill the shares outstanding of an annuity, and their slopes by the rate.

    Equal payments make the principal parts grow by 1 + i, i = rate Δ, from each to the next, so

        e_{g+1+j} = 1 - T_j / T_N,   T_j = Σ_{l<j} (1+i)^l,   N = n - g

    which needs neither a division by i nor a difference of two near numbers.
    """
    growth = 1 + rate * years
    share[:grace] = 1.0
    slope[:grace] = 0.0
    total, total_slope = 0.0, 0.0  # T_j and its slope by i
    power, power_slope = 1.0, 0.0
    for k in range(grace, periods):
        share[k] = total
        slope[k] = total_slope
        total += power
        total_slope += power_slope
        power_slope = power_slope * growth + power
        power *= growth
    relative = total_slope / total
    for k in range(grace, periods):
        repaid = share[k] / total
        slope[k] = (repaid * relative - slope[k] / total) * years
        share[k] = 1 - repaid


@njit(cache=True, error_model="numpy")
def _survive(margins: Floats, legs: Legs, work: Work) -> float:
    """Walk the steps forward, fill the room but for the shares; return PD within 12 months."""
    steps, shift, grid = legs.steps, legs.shift, legs.grid
    half, gross = 0.5 * legs.numbers[YEARS], legs.numbers[GROSS]
    work.loss[:] = 0.0
    work.paying[:] = 0.0
    work.alive[0] = 1.0
    bucket, months, moved, elapsed = -1, -1, 0.0, 0
    pd, gone, cause, lgd = 0.0, 0.0, 0.0, 0.0
    for j in range(len(steps)):
        if steps[j, BUCKET] != bucket or steps[j, MONTHS] != months or shift[j] != moved:
            bucket, months, moved = steps[j, BUCKET], steps[j, MONTHS], shift[j]
            default, exit_ = math.exp(margins[0, bucket] + moved), math.exp(margins[1, bucket])
            lgd = 1 / (1 + math.exp(-margins[2, bucket]))
            gone = -math.expm1(-(default + exit_) * months)
            cause = default / (default + exit_) if default > 0 else 0.0
        k = steps[j, PERIOD]
        left = work.alive[j] * gone
        work.gone[j] = gone
        work.cause[j] = cause
        work.alive[j + 1] = work.alive[j] - left
        severity = gross * (lgd * grid[k, RISK] + grid[k, FIXED])
        work.loss[k] += severity * cause * left * grid[k, MIDPOINT]
        work.paying[k] += half * grid[k, MIDPOINT] * left
        work.paying[k] += steps[j, CLOSES] * grid[k, COUPON] * work.alive[j + 1]
        elapsed += months
        if elapsed <= 12:
            pd += cause * left
    return pd


@njit(cache=True, error_model="numpy")
def _sums(weights: Floats, legs: Legs, work: Work) -> tuple[float, float, float, float, float]:
    """Return Σ over the periods of weights times: loss, paying, cost of funds, coupon, years."""
    loss, paying, cost, coupon, life = 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(legs.periods):
        w = weights[k]
        loss += w * work.loss[k]
        paying += w * work.paying[k]
        cost += w * legs.grid[k, FUNDING]
        coupon += w * legs.grid[k, COUPON]
        life += w
    return loss, paying, cost, coupon, life * legs.numbers[YEARS]


@njit(cache=True, error_model="numpy")
def _weigh(legs: Legs, work: Work, pd: float, capital: tuple[float, float, float, float]) -> Parts:
    """Return the parts of the price at the shares, and how they pull, in `work`."""
    loss, paying, cost, coupon, life = _sums(work.share, legs, work)
    loss -= legs.numbers[INCOME]
    unexpected, unexpected_pd, b, b_pd = capital
    stretch, stretch_b, stretch_m = maturity_term(life, b)
    scale = legs.numbers[SCALE]
    loss_bps = 1e4 * loss / paying
    capital_bps = scale * unexpected * stretch
    capital_by_pd = scale * (unexpected_pd * stretch + unexpected * stretch_b * b_pd)
    funding = cost / coupon if coupon > 0 else 0.0
    rate = funding + 1e-4 * (loss_bps + capital_bps + legs.numbers[LOADINGS])
    pull, gain = 1.0, 1.0
    if legs.grace >= 0:
        loss_r, paying_r, cost_r, coupon_r, life_r = _sums(work.slope, legs, work)
        funding_r = (cost_r - funding * coupon_r) / coupon
        spread_r = (1e4 * loss_r - loss_bps * paying_r) / paying
        spread_r += scale * unexpected * stretch_m * life_r
        pull = 1 / (1 - funding_r - 1e-4 * spread_r)
        gain = (1 - funding_r) * pull
    return Parts(loss_bps, capital_bps, funding, life, pd, paying, capital_by_pd, pull, gain, rate)


@njit(cache=True, error_model="numpy")
def _solve(margins: Floats, legs: Legs, work: Work) -> Parts:
    """Return the parts of the price; for an annuity, at the rate r that its own balances imply.

    Balances depend on r, so r = F(r) = funding(r) + spread(r) / 1e4. Newton's step is
    (F - r) / (1 - F'); F' is small, so two or three steps do. At the root

        d spread / d margin = (∂ spread / ∂ margin at fixed r) (1 - funding') / (1 - F')

    where the last factor is `gain` and F' = funding' + spread' / 1e4.
    """
    pd = _survive(margins, legs, work)
    capital = unexpected_loss(pd, legs.basel)
    if legs.grace < 0:
        return _weigh(legs, work, pd, capital)
    work.share[:] = legs.grid[:, SHARE]  # linear, to begin with
    parts = _weigh(legs, work, pd, capital)
    rate = parts.rate
    for _ in range(MOST_STEPS):
        amortise(rate, legs.numbers[YEARS], legs.periods, legs.grace, work.share, work.slope)
        parts = _weigh(legs, work, pd, capital)
        step = (parts.rate - rate) * parts.pull
        if abs(step) <= RATE_TOLERANCE * max(1.0, abs(rate)):
            break
        rate += step
    return parts


@njit(cache=True, error_model="numpy")
def _adjoint(margins: Floats, legs: Legs, work: Work, parts: Parts, gradient: Floats) -> None:
    """Walk the steps backward and fill gradient (3, K), the derivative of the spread in bp.

    A bar is the derivative of the figure by the quantity it stands on:

        left = S gone,  S' = S - left,  defaulted = cause left,  per step
    """
    steps, shift, grid = legs.steps, legs.shift, legs.grid
    loss_bar = 1e4 / parts.paying_value * parts.gain
    paying_bar = -parts.loss_bps / parts.paying_value * parts.gain
    pd_bar = parts.capital_by_pd * parts.gain
    half, gross = 0.5 * legs.numbers[YEARS], legs.numbers[GROSS]
    gradient[:] = 0.0
    alive_bar = 0.0
    elapsed = steps[:, MONTHS].sum()
    bucket, months, moved, lgd = -1, -1, 0.0, 0.0
    gone_sum, cause_sum, lgd_sum = 0.0, 0.0, 0.0
    for j in range(len(steps) - 1, -1, -1):
        if steps[j, BUCKET] != bucket or steps[j, MONTHS] != months or shift[j] != moved:
            if bucket >= 0:
                bars = (gone_sum, cause_sum, lgd_sum)
                _flush(margins, bucket, months, moved, bars, gradient)
            gone_sum, cause_sum, lgd_sum = 0.0, 0.0, 0.0
            bucket, months, moved = steps[j, BUCKET], steps[j, MONTHS], shift[j]
            lgd = 1 / (1 + math.exp(-margins[2, bucket]))
        k = steps[j, PERIOD]
        gone, cause = work.gone[j], work.cause[j]
        left = work.alive[j] * gone
        exposed = work.share[k] * grid[k, MIDPOINT]
        alive_bar += paying_bar * work.share[k] * steps[j, CLOSES] * grid[k, COUPON]
        defaulted_bar = loss_bar * exposed * gross * (lgd * grid[k, RISK] + grid[k, FIXED])
        if elapsed <= 12:
            defaulted_bar += pd_bar
        left_bar = defaulted_bar * cause + paying_bar * half * exposed - alive_bar
        gone_sum += left_bar * work.alive[j]
        cause_sum += defaulted_bar * left
        lgd_sum += loss_bar * exposed * gross * grid[k, RISK] * cause * left
        alive_bar += left_bar * gone
        elapsed -= months
    _flush(margins, bucket, months, moved, (gone_sum, cause_sum, lgd_sum), gradient)


@njit(cache=True, error_model="numpy")
def _flush(
    margins: Floats,
    bucket: int,
    months: int,
    moved: float,
    bars: tuple[float, float, float],
    gradient: Floats,
) -> None:
    """Add what a run of steps with the same hazards says of its bucket's three margins."""
    gone_bar, cause_bar, lgd_bar = bars
    default, exit_ = math.exp(margins[0, bucket] + moved), math.exp(margins[1, bucket])
    lgd = 1 / (1 + math.exp(-margins[2, bucket]))
    total = default + exit_
    swap = cause_bar * (default / total) * (exit_ / total) if total > 0 else 0.0
    stay = months * math.exp(-total * months)
    gradient[0, bucket] += gone_bar * stay * default + swap
    gradient[1, bucket] += gone_bar * stay * exit_ - swap
    gradient[2, bucket] += lgd_bar * lgd * (1 - lgd)


@njit(cache=True, error_model="numpy")
def _room(legs: Legs) -> Work:
    """Return empty room; the shares of a fixed schedule are put in at once."""
    steps, periods = len(legs.steps), len(legs.grid)
    return Work(
        np.empty(steps + 1),
        np.empty(steps),
        np.empty(steps),
        np.empty(periods),
        np.empty(periods),
        legs.grid[:, SHARE].copy(),
        np.zeros(periods),
    )


@njit(cache=True, error_model="numpy")
def figures(margins: Floats, legs: Legs) -> Floats:
    """Return (rows,) the unclipped figure in bp of margins (rows, 3, K)."""
    work = _room(legs)
    out = np.empty(len(margins))
    for i in range(len(margins)):
        parts = _solve(margins[i], legs, work)
        out[i] = parts.loss_bps + parts.capital_bps + legs.numbers[LOADINGS]
    return out


@njit(cache=True, error_model="numpy")
def gradients(margins: Floats, legs: Legs) -> tuple[Floats, Floats]:
    """Return (rows,) the figures and (rows, 3, K) their derivatives by every margin."""
    work = _room(legs)
    out = np.empty(len(margins))
    slopes = np.empty(margins.shape)
    for i in range(len(margins)):
        parts = _solve(margins[i], legs, work)
        out[i] = parts.loss_bps + parts.capital_bps + legs.numbers[LOADINGS]
        _adjoint(margins[i], legs, work, parts, slopes[i])
    return out, slopes


@njit(cache=True, error_model="numpy")
def breakdown(margins: Floats, legs: Legs) -> Floats:
    """Return (rows, 8) what the columns LOSS_BPS to DEFAULTED name."""
    work = _room(legs)
    out = np.empty((len(margins), 8))
    for i in range(len(margins)):
        parts = _solve(margins[i], legs, work)
        defaulted, lost = 0.0, 0.0
        for j in range(len(legs.steps)):
            k = legs.steps[j, PERIOD]
            exposed = work.share[k] * legs.grid[k, MIDPOINT]
            weight = exposed * work.alive[j] * work.gone[j] * work.cause[j]
            defaulted += weight
            lost += weight / (1 + math.exp(-margins[i, 2, legs.steps[j, BUCKET]]))
        out[i, LOSS_BPS], out[i, CAPITAL_BPS] = parts.loss_bps, parts.capital_bps
        out[i, FUNDING_RATE], out[i, MATURITY] = parts.funding_rate, parts.maturity
        out[i, PD_12] = parts.pd
        out[i, MEAN_LGD] = lost / defaulted if defaulted > 0 else 0.0
        out[i, PAYING_VALUE] = parts.paying_value
        out[i, DEFAULTED] = defaulted
    return out
