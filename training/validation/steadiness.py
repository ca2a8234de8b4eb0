"""Whether another sample of the same projects would have told the same reasons."""

from __future__ import annotations

import numpy as np

from training import sample
from training.periods import Floats
from training.validation.evidence import Evidence
from training.validation.refits import Refits
from training.validation.section import Light, Section, Table, number, percent

EXPLAINED = 100  # projects
TOLD = 5.0  # basis points, above which a column's sign is compared
AGREE = 0.80  # of the signs, below which a section is amber


def section(evidence: Evidence, refits: Refits | None) -> Section:
    """Return how far the explanations of the two halves stand apart."""
    if refits is None:
        return _nothing()
    projects = evidence.asked[:EXPLAINED]
    first, second = (sample.price(m, evidence.policy, projects) for m in refits.models)
    found = apart(first.columns_bps, second.columns_bps)
    spreads = [np.array([p.figure_bps for p in side.prices]) for side in (first, second)]
    found |= {
        "spread_bps": float(np.abs(spreads[0] - spreads[1]).mean()),
        "base_bps": float(np.abs(first.base_bps - second.base_bps).mean()),
        "mean_spread_bps": float(np.mean(spreads)),
    }
    columns = np.abs(first.columns_bps - second.columns_bps).mean(axis=0)
    by_column = dict(zip(evidence.column_set.names, columns.tolist(), strict=True))
    steady = found["signs"] >= AGREE
    return Section(
        name="steadiness",
        title="Steadiness of explanations",
        light=Light.GREEN if steady else Light.AMBER,
        verdict=f"Two refits on halves of the projects agree on the sign of "
        f"{percent(found['signs'], 0)} of all parts above {TOLD:.0f} bp; a column's part differs "
        f"by {found['mean_bps']:.1f} bp on average, the spread by {found['spread_bps']:.0f} bp.",
        figures={"projects_refitted": refits.projects, "explained": len(projects)}
        | found
        | {"columns_bps": by_column},
        tables=[_table(found), _columns(by_column, first.columns_bps)],
        notes=[
            f"Each refit learns from {refits.projects:,} projects that the other has not seen, "
            "with a small bag of trees whatever the version's family, its own background and "
            f"another seed; both explain the same {len(projects)} projects of the test window. The "
            "served version has learnt from more; it should be steadier, by how much is not known.",
        ],
    )


def apart(first: Floats, second: Floats) -> dict[str, float]:
    """Return how far two explanations of the same projects stand apart, (m, columns) each.

    Returns:
        mean_bps: mean distance of a part; relative: sum of distances over sum of sizes; signs:
        share of the parts above TOLD in either whose signs agree; ranks: mean rank correlation of
        a project's parts; top: share of projects whose greatest part is the same column.
    """
    gap = np.abs(first - second)
    told = np.maximum(np.abs(first), np.abs(second)) >= TOLD
    same = np.sign(first[told]) == np.sign(second[told])
    top = np.abs(first).argmax(axis=1) == np.abs(second).argmax(axis=1)
    size = (np.abs(first) + np.abs(second)).sum() / 2
    return {
        "mean_bps": float(gap.mean()),
        "relative": float(gap.sum() / size) if size > 0 else 0.0,
        "signs": float(same.mean()) if told.any() else 1.0,
        "ranks": float(np.mean([_ranks(a, b) for a, b in zip(first, second, strict=True)])),
        "top": float(top.mean()),
    }


def _ranks(a: Floats, b: Floats) -> float:
    ranks = [np.argsort(np.argsort(side, kind="stable")).astype(np.float64) for side in (a, b)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1]) if len(a) > 1 else 1.0


def _table(found: dict[str, float]) -> Table:
    rows = [
        ("a column's part, mean distance", f"{found['mean_bps']:.1f} bp"),
        ("all parts, distance over size", percent(found["relative"])),
        (f"signs of parts above {TOLD:.0f} bp that agree", percent(found["signs"])),
        ("rank correlation of a project's parts", number(found["ranks"], 2)),
        ("projects whose greatest part is the same column", percent(found["top"], 0)),
        ("the spread, mean distance", f"{found['spread_bps']:.0f} bp"),
        ("the spread itself, mean", f"{found['mean_spread_bps']:.0f} bp"),
        ("the base (reference company), mean distance", f"{found['base_bps']:.0f} bp"),
    ]
    return Table("Two halves beside one another", ("", "figure"), rows)


def _columns(by_column: dict[str, float], first: Floats) -> Table:
    sizes = dict(zip(by_column, np.abs(first).mean(axis=0).tolist(), strict=True))
    least = sorted(by_column.items(), key=lambda pair: -pair[1])[:10]
    rows = [(name, number(gap, 1), number(sizes[name], 1)) for name, gap in least]
    return Table("Columns that differ most", ("column", "distance, bp", "size, bp"), rows)


def _nothing() -> Section:
    said = "Not measured: half of the training projects hold too few defaults to learn from."
    return Section("steadiness", "Steadiness of explanations", Light.GREY, said, {})
