"""A fit with its evidence: the sealed model folder, the tables and the curves, ready to record."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

from features.book import Book
from models import artifact, golden, registry
from models.hazard import HazardModel
from pricing import policy as policies
from training import curves, drift, monotone, origins, prices, sample
from training.card import flat
from training.evaluate import HORIZONS_MONTHS, Foretold, Measure
from training.fit import Fitted
from training.paper import Paper
from training.split import name_of
from training.study import Study, against, study
from training.track import Data, Entry, Figure
from training.validation import report
from training.validation.calibration import calibration
from training.validation.evidence import Evidence

DRAWN = 500  # projects of the beeswarm and of the prices
BEFORE = 20_000  # projects before the split, of the vintages
PROBED = 100  # projects whose columns are moved to look for steps against their directions
EXAMPLES = 3  # rows of the input example
EVALUATION = "evaluation.json"
CALIBRATED = {"intercept": "calibration_intercept"}  # names in a run, where they differ
STEPS = 9 + origins.MOST + report.STEPS  # that `pack` tells
Told = Callable[[str], None]


@dataclass(frozen=True)
class Source:
    """Where a fit comes from.

    Attributes:
        data: the file.
        simulated: whether its projects exist.
        commit: of the code, or "unknown".
        policy: the text of the policy's TOML file, for golden vectors and drawn prices.
        champion: the model that serves now; None if there is none.
    """

    data: Path
    simulated: bool
    commit: str
    policy: bytes
    champion: HazardModel | None = None


@dataclass(frozen=True)
class Pack:
    """A model that has been judged, sealed and drawn.

    Attributes:
        folder: of the model; its last name is `registry.FOLDER`.
        digest: of its manifest.
        papers: folder of tables and curves.
        study: the judgement.
        violations: by column, steps against its direction.
        example: projects as `predict` takes them.
        calibration: by horizon, as on the card.
        interval: likewise.
    """

    folder: Path
    digest: str
    papers: Path
    study: Study
    violations: Mapping[str, int]
    example: pd.DataFrame
    calibration: Mapping[str, Mapping[str, float | None]]
    interval: Mapping[str, Any]


def pack(
    fitted: Fitted, book: Book, source: Source, into: Path, *, resamples: int, told: Told
) -> Pack:
    """Judge a fit, write and seal its model, draw its curves.

    Args:
        fitted: with its split.
        book: of the whole file.
        source: what the card should say of it.
        into: an empty folder.
        resamples: of every bootstrap.
        told: of each step when it is done.
    """
    judged = study(fitted, resamples=resamples, told=told)
    folder, papers = into / registry.FOLDER, into / "papers"
    strayed = drift.judge(fitted, judged.ours, origins.roll(fitted, book, told))
    card = {**fitted.card, **_evidence(fitted, judged, source), "interval": strayed.card}
    card["champion"] = _champion(source, judged, resamples)
    replace(fitted, card=card).write(folder)
    _tables(judged, folder, papers)
    model = artifact.read(folder, artifact.seal(folder))
    told("model written")
    policy = policies.parse(source.policy)
    drawn = sample.price(model, policy, _drawn(judged.test))
    told("sample priced")
    violations = monotone.violations(model, drawn.x[:PROBED])
    told("directions probed")
    before = _before(fitted, book)
    evidence = Evidence(fitted, judged, model, book, drawn, violations, *before, policy)
    found = report.validate(evidence, told)
    (folder / report.JSON).write_text(found.text(), encoding="utf-8")
    vectors = sample.asked(judged.test, golden.choose(judged.ours[:, 0].mean(axis=1)))
    digest = golden.add(folder, model, vectors, source.policy)
    stamp = _stamp(model, fitted, source, digest)
    found.write(papers, stamp)
    paper = Paper(papers / "curves", stamp)
    curves.draw(judged, *before, paper)
    prices.draw(drawn, model.column_set, policy, paper)
    told("curves drawn")
    example = _example(vectors)
    told_of = card["calibration"], card["interval"]
    return Pack(folder, digest, papers, judged, violations, example, *told_of)


def entry(packed: Pack, fitted: Fitted, source: Source, name: str) -> Entry:
    """Return what a run and a version should say of a pack."""
    card, parts = fitted.card, fitted.split
    columns = f"{card['column_set']['name']} {card['column_set']['version']}"
    tags = {
        "family": card["family"],
        "column_set": columns,
        "data_digest": parts.train.digest,
        "digest": packed.digest,
        "commit": source.commit,
        "labels": parts.labels.value,
        "simulated": str(source.simulated).lower(),
    }
    dates = {f"split.{key}": str(value) for key, value in card["split"].items()}
    return Entry(
        name=name,
        title=f"{card['column_set']['name']} {packed.digest[:8]}",
        model=packed.folder,
        column_set=fitted.column_set,
        data=[
            Data("training", source.data, parts.train.digest, card["counts"]["train"]),
            Data("testing", source.data, parts.test.digest, card["counts"]["test"]),
        ],
        parameters=flat(card["parameters"]) | dates | {"data.sha256": parts.train.digest},
        figures=list(_figures(packed)),
        papers=packed.papers,
        example=packed.example,
        summary=_summary(packed.study, columns, source),
        tags=tags,
    )


def overall(measures: Sequence[Measure]) -> dict[str, dict[str, Any]]:
    """Return the figures of all vintages together, with their intervals, as a card holds them."""
    return {m.key: _plain(m) for m in measures if m.vintage is None}


def rows(judged: Study) -> list[dict[str, Any]]:
    """Return every figure as a row of a table."""
    sides = {
        "model": judged.measures,
        "linear": judged.benchmark,
        "gain": judged.gains,
        "scorecard": judged.scorecard.measures,
        "gain over scorecard": judged.scorecard.gains,
    }
    return [
        {"of": side, "metric": m.metric, "horizon_months": m.horizon_months, "vintage": m.vintage}
        | _plain(m)
        for side, measures in sides.items()
        for m in measures
    ]


def agreement(judged: Study) -> dict[str, dict[str, float | None]]:
    """Return intercept, slope, ICI, E50 and E90 by horizon, as a card holds them."""
    foretold = Foretold.of(judged.ours, judged.test)
    found = {}
    for months in HORIZONS_MONTHS:
        followed = foretold.followed(months)
        if followed.any():
            told = asdict(calibration(foretold.forecast(months, followed)))
            found[f"{months}m"] = {k: v if math.isfinite(v) else None for k, v in told.items()}
    return found


def _evidence(fitted: Fitted, judged: Study, source: Source) -> dict[str, Any]:
    """Return what the card should say of the data, of the code and of the judgement."""
    data = {"file": source.data.name, "simulated": source.simulated}
    return {
        "data": {**fitted.card["data"], **data},
        "commit": source.commit,
        "metrics": overall(judged.measures),
        "benchmark": {"family": "linear hazard", "metrics": overall(judged.benchmark)},
        "gains": overall(judged.gains),
        "calibration": agreement(judged),
        "scorecard": {
            "metrics": overall(judged.scorecard.measures),
            "gains": overall(judged.scorecard.gains),
        },
    }


def _champion(source: Source, judged: Study, resamples: int) -> dict[str, Any] | None:
    """Return what the card should say of the champion of its day; None if there was none."""
    if source.champion is None:
        return None
    gains = against(source.champion, judged, resamples=resamples)
    return {"digest": source.champion.digest, "gains": overall(gains)}


def _tables(judged: Study, folder: Path, papers: Path) -> None:
    papers.mkdir(parents=True)
    table = rows(judged)
    text = json.dumps(table, indent=1, allow_nan=False) + "\n"
    (folder / EVALUATION).write_text(text, encoding="utf-8")
    (papers / EVALUATION).write_text(text, encoding="utf-8")
    pl.DataFrame(table, infer_schema_length=None).write_csv(papers / "evaluation.csv")


def _plain(measure: Measure) -> dict[str, Any]:
    it = measure.interval
    ends = {"value": it.value, "low": it.low, "high": it.high}
    found = {key: value if math.isfinite(value) else None for key, value in ends.items()}
    return found | {"projects": measure.projects, "defaults": measure.defaults}


def _drawn(test: Book) -> list[sample.Asked]:
    dice = np.random.default_rng(0)
    chosen = dice.choice(len(test), min(DRAWN, len(test)), replace=False)
    return sample.asked(test, chosen.tolist())


def _before(fitted: Fitted, book: Book) -> tuple[Book, np.ndarray[Any, Any]]:
    parts = fitted.split
    first, last = parts.train_from, parts.test_from
    at = np.flatnonzero((book.originated >= first) & (book.originated < last))
    chosen = np.random.default_rng(0).choice(at, min(BEFORE, len(at)), replace=False)
    before = book.take(np.sort(chosen))
    return before, fitted.margins(fitted.encoder.matrix(before.frame))


def _stamp(model: HazardModel, fitted: Fitted, source: Source, digest: str) -> str:
    parts = fitted.split
    said = [
        f"{model.name} {digest[:8]}",
        f"{model.column_set.name} {model.column_set.version}",
        f"tested on originations {name_of(parts.test_from)} to {name_of(parts.test_to - 1)}",
        f"labels {parts.labels.value}",
        *(["simulated data"] if source.simulated else []),
    ]
    return "  ·  ".join(said)


def _example(vectors: Sequence[sample.Asked]) -> pd.DataFrame:
    """Return some of the golden projects as a table; empty columns are left out."""
    known = [
        {**project, **asdict(terms)}
        for project, terms in vectors[:: max(1, len(vectors) // EXAMPLES)][:EXAMPLES]
    ]
    return pd.DataFrame(known)


def _figures(packed: Pack) -> Iterator[Figure]:
    judged = packed.study
    for prefix, measures in (
        ("", judged.measures),
        ("linear/", judged.benchmark),
        ("gain/", judged.gains),
        ("scorecard/", judged.scorecard.measures),
        ("gain_scorecard/", judged.scorecard.gains),
    ):
        for measure in measures:
            named = f"{measure.metric}_{measure.horizon_months}m"
            key = f"{prefix}{named}" if measure.vintage is None else f"{prefix}vintage/{named}"
            for end in ("value", "low", "high"):
                value = float(getattr(measure.interval, end))
                if math.isfinite(value):
                    suffix = "" if end == "value" else f"_{end}"
                    yield Figure(f"{key}{suffix}", value, measure.vintage or 0)
    for horizon, told in packed.calibration.items():
        for name, figure in told.items():
            if figure is not None and name != "slope":  # that one has an interval, above
                yield Figure(f"{CALIBRATED.get(name, name)}_{horizon}", figure)
    for name in ("tau", "tau_quarter", "tau_group", "coverage", "coverage_of_segments"):
        if packed.interval[name] is not None:
            yield Figure(f"interval_{name}", packed.interval[name])
    yield Figure("monotone_violations", float(sum(packed.violations.values())))


def _summary(judged: Study, columns: str, source: Source) -> str:
    said = [f"{columns}{', simulated' if source.simulated else ''}"]
    for measure in judged.measures:
        if measure.vintage is None and measure.metric == "auc":
            it = measure.interval
            horizon = f"AUC {measure.horizon_months} m"
            said.append(f"{horizon} {it.value:.4f} [{it.low:.4f}, {it.high:.4f}]")
    return "; ".join(said)
