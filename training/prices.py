"""The figures that show prices: what moves them, how they spread, what they are made of."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import shap
from matplotlib import pyplot as plt

from features.column import ColumnSet
from pricing.policy import Policy
from training.paper import GREY, INK, OTHER, OURS, SAFE_TO_RISKY, Paper, styled
from training.sample import Priced

SHOWN = 20  # columns of the beeswarm
PARTS = {  # lines of the waterfall, from funding up
    "ftp": ("funding", GREY),
    "opex": ("operating cost", "#b9c2cb"),
    "margin": ("margin", "#5b8db8"),
    "capital": ("capital", OURS),
    "expected_loss": ("expected loss", SAFE_TO_RISKY[-1]),
}


def draw(priced: Priced, column_set: ColumnSet, policy: Policy, paper: Paper) -> None:
    """Draw every figure of the prices of a sample of projects."""
    with styled():
        beeswarm(priced, column_set, paper)
        distribution(priced, policy, paper)


def beeswarm(priced: Priced, column_set: ColumnSet, paper: Paper) -> None:
    """Let `shap` draw what each column adds to the spread of each project, in basis points."""
    mpl.use("Agg")
    figure = plt.figure(figsize=(9.2, 8.2), layout="constrained")
    try:
        axes = figure.add_subplot()
        told = shap.Explanation(
            values=priced.columns_bps,
            base_values=priced.base_bps,
            data=priced.x,
            feature_names=[column.label for column in column_set.columns],
        )
        most = min(SHOWN, priced.x.shape[1])
        shap.plots.beeswarm(
            told, max_display=most, ax=axes, show=False, plot_size=None, s=9, axis_color=INK
        )
        axes.set_xlabel("basis points of spread, against the reference company", fontsize=9.5)
        axes.tick_params(labelsize=9)
        bar = figure.axes[-1]
        bar.tick_params(labelsize=8.5)
        bar.set_ylabel("value of the column", fontsize=9)
        axes.grid(visible=False)
        title = f"What moves the price: {len(priced.x)} projects out of time"
        figure.suptitle(title, x=0.012, ha="left", fontsize=12.5, fontweight="bold", color=INK)
        paper.save(figure, "shap_beeswarm")
    finally:
        plt.close(figure)


def distribution(priced: Priced, policy: Policy, paper: Paper) -> None:
    """Draw the spreads that would be quoted, and of what the rate is made from safe to risky."""
    spreads = np.array([price.charged_bps for price in priced.prices])
    figure, (left, right) = paper.panels(
        columns=2, width=10.6, title=f"Prices of {len(spreads)} projects out of time"
    )
    left.hist(spreads, bins=40, color=OURS, alpha=0.85)
    for share, style in ((0.1, ":"), (0.5, "-"), (0.9, ":")):
        at = float(np.quantile(spreads, share))
        label = f"{share:.0%} below {at:,.0f} bp"
        left.axvline(at, color=OTHER, linestyle=style, linewidth=1.4, label=label)
    floor, cap = policy.spread_floor_bps, policy.spread_cap_bps
    held = [f"{np.mean(spreads <= floor):.1%} at the floor of {floor:,.0f} bp"]
    if cap is not None:
        held.append(f"{np.mean(spreads >= cap):.1%} at the cap of {cap:,.0f} bp")
    left.set_title("spread over funding")
    left.set(xlabel="basis points", ylabel="projects")
    left.legend(loc="upper right", title="\n".join(held), title_fontsize=8.5)
    order = np.array_split(np.argsort(spreads, kind="stable"), len(SAFE_TO_RISKY))
    bottom = np.zeros(len(order))
    for name, (label, colour) in PARTS.items():
        line = np.array([_line(priced, name, at) for at in range(len(spreads))])
        height = np.array([line[fifth].mean() for fifth in order])
        right.bar(range(len(order)), height, bottom=bottom, color=colour, label=label, width=0.7)
        bottom += height
    for at, top in enumerate(bottom):
        right.text(at, top, f"{top:,.0f}", ha="center", va="bottom", fontsize=8.5)
    right.set_xticks(range(len(order)), ["cheapest\nfifth", "second", "third", "fourth", "dearest"])
    right.set_title("what the rate is made of, before floor and cap")
    right.set_ylabel("basis points, mean")
    right.grid(visible=False, axis="x")
    handles, labels = right.get_legend_handles_labels()
    right.legend(handles[::-1], labels[::-1], loc="upper left")
    paper.save(figure, "prices")


def _line(priced: Priced, name: str, at: int) -> float:
    return sum(line.bps for line in priced.prices[at].waterfall if line.name == name)
