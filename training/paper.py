"""How figures look: one font, few colours that colour-blind readers tell apart, a stamp below."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import PercentFormatter

INK = "#1d2733"
GREY = "#8a949e"
PALE = "#d9dee3"
OURS = "#1b5e91"
OTHER = "#d1752b"
SAFE_TO_RISKY = ("#2a9d8f", "#8ab17d", "#e9c46a", "#f4a261", "#c8453b")

STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e8ebee",
    "grid.linewidth": 0.8,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "text.color": INK,
    "savefig.dpi": 150,
}


@dataclass(frozen=True)
class Paper:
    """A folder of figures that share a style and a stamp.

    Attributes:
        folder: made if absent.
        stamp: what every figure is of: model, column set, test window, simulated or not.
    """

    folder: Path
    stamp: str

    @staticmethod
    def panels(
        *, columns: int, title: str, width: float = 0.0, height: float = 4.3
    ) -> tuple[Figure, list[Axes]]:
        """Return a figure with panels side by side; use it inside `styled()`.

        Args:
            columns: panels.
            title: above them.
            width: of the figure in inches; 0 lets the panels decide.
            height: of the figure in inches.
        """
        layout = ConstrainedLayoutEngine(h_pad=0.09, w_pad=0.09)
        figure = Figure(figsize=(width or 3.9 * columns + 0.4, height), layout=layout)
        axes = figure.subplots(1, columns, squeeze=False)[0]
        figure.suptitle(title, x=0.012, ha="left", fontsize=12.5, fontweight="bold", color=INK)
        return figure, list(axes)

    def save(self, figure: Figure, name: str) -> Path:
        """Write the figure with its stamp."""
        self.folder.mkdir(parents=True, exist_ok=True)
        figure.supxlabel(self.stamp, x=0.012, ha="left", fontsize=7.5, color=GREY)
        path = self.folder / f"{name}.png"
        figure.savefig(path, facecolor="white")
        return path


def percent(axes: Axes, *, x: bool = False, y: bool = False, decimals: int | None = 0) -> None:
    """Label fractions as percent."""
    if x:
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=decimals))
    if y:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=decimals))


def styled() -> AbstractContextManager[None]:
    """Return the context in which figures are drawn."""
    return style.context(STYLE)
