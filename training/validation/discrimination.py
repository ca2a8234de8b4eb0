"""Whether the version tells defaults from the others, beside what a bank has today."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training import scorecard
from training.evaluate import Foretold, Measure, followed
from training.metrics import Forecast, Interval
from training.study import Study
from training.validation.delong import auc_interval, ks
from training.validation.evidence import Evidence
from training.validation.section import NONE, Light, Section, Table, number, ranged

NAMES = {"auc": "AUC", "log_loss": "log loss", "brier": "Brier score"}
SIDES = {"model": "this model", "linear": "linear hazards", "scorecard": "the scorecard"}


def section(evidence: Evidence) -> Section:
    """Return AUC, Gini and KS by horizon, and the gains over both benchmarks."""
    study = evidence.judged
    found = {
        months: {side: _figures(f) for side, f in _forecasts(study, months).items()}
        for months in evidence.horizons
    }
    gains = {"linear": _gains(study.gains), "scorecard": _gains(study.scorecard.gains)}
    light, verdict = _verdict(evidence.main_months, found, gains)
    return Section(
        name="discrimination",
        title="Discrimination",
        light=light,
        verdict=verdict,
        figures={"by_horizon": found, "gains": gains},
        tables=[_table(found), _gain_table(gains)],
        notes=[
            "Out of time. A Gini is 2 AUC - 1. Intervals hold 90 %: DeLong's for an AUC, a paired "
            "bootstrap over projects for a gain (this model less the other, on the same projects). "
            "The linear benchmark is a proportional hazard on the same columns; the scorecard is a "
            f"points table (weights of evidence, logistic regression) of a default by month "
            f"{scorecard.HORIZON_MONTHS}, learnt from the training projects whose fate was known "
            "by then, and speaks of that horizon alone.",
        ],
    )


def _forecasts(study: Study, months: int) -> dict[str, Forecast]:
    projects = followed(study.test, months)
    sides = {
        "model": Foretold.of(study.ours, study.test).forecast(months, projects),
        "linear": Foretold.of(study.linear, study.test).forecast(months, projects),
    }
    if months == scorecard.HORIZON_MONTHS and study.scorecard.measures:
        sides["scorecard"] = scorecard.forecast(study.scorecard.pd, study.test, projects)
    return sides


def _figures(forecast: Forecast) -> dict[str, Any]:
    ranks = auc_interval(forecast)
    return {
        "projects": len(forecast.y),
        "defaults": int(forecast.y.sum()),
        "auc": ranks,
        "gini": Interval(*(2 * end - 1 for end in (ranks.value, ranks.low, ranks.high))),
        "ks": ks(forecast),
    }


def _gains(measures: tuple[Measure, ...]) -> dict[str, Interval]:
    return {m.key: m.interval for m in measures}


def _verdict(
    months: int,
    found: Mapping[int, Mapping[str, Any]],
    gains: Mapping[str, Mapping[str, Interval]],
) -> tuple[Light, str]:
    if months not in found:
        return Light.GREY, "No project has been followed long enough to say."
    ranks = found[months]["model"]["auc"]
    said = f"At {months} months the AUC is {ranged(ranks)}"
    over = {
        side: gain[f"auc_{months}m"] for side, gain in gains.items() if f"auc_{months}m" in gain
    }
    told = [f"{gain.value:+.3f} against {SIDES[side]}" for side, gain in over.items()]
    better = bool(over) and all(gain.low > 0 for gain in over.values())
    worse = any(gain.high < 0 for gain in over.values())
    light = Light.GREEN if better else Light.RED if worse else Light.AMBER
    sure = "" if better else ", not surely better" if not worse else ", surely worse than one"
    return light, f"{said}: {' and '.join(told)}{sure}." if told else f"{said}."


def _named(key: str) -> str:
    """Return the name of a figure.

    >>> _named("log_loss_36m")
    'log loss, 36 months'
    """
    metric, _, months = key.rpartition("_")
    return f"{NAMES[metric]}, {months.removesuffix('m')} months"


def _table(found: Mapping[int, Mapping[str, Any]]) -> Table:
    rows = [
        (
            f"{months} months, {SIDES[side]}",
            ranged(figures["auc"]),
            ranged(figures["gini"]),
            number(figures["ks"]),
            f"{figures['defaults']:,} of {figures['projects']:,}",
        )
        for months, sides in found.items()
        for side, figures in sides.items()
    ]
    head = ("default by", "AUC [90 %]", "Gini [90 %]", "KS", "defaults of projects")
    return Table("How well each ranks", head, rows)


def _gain_table(gains: Mapping[str, Mapping[str, Interval]]) -> Table:
    keys = list(dict.fromkeys(key for gain in gains.values() for key in gain))
    rows = [
        (
            _named(key),
            *(ranged(gain[key], 4, sign="+") if key in gain else NONE for gain in gains.values()),
        )
        for key in keys
    ]
    head = ("figure", *(f"less {SIDES[side]}" for side in gains))
    note = "A higher AUC is better; a lower log loss and Brier score are."
    return Table("What this model gains", head, rows, note)
