"""A small real model of the embedded column set, fitted in a second: what tests serve."""

from __future__ import annotations

import json
from pathlib import Path

import lightgbm
import numpy as np
from numpy.typing import NDArray

from features.column import Kind
from features.encode import Encoder
from features.sets import load
from models import artifact, golden, keys, statement
from models.copies import Pointer
from models.leaves import Bag
from models.statement import Statement
from pricing import policy
from pricing.schedule import Terms

Floats = NDArray[np.float64]
COLUMN_SET = load("early_stage")
BUCKETS = len(COLUMN_SET.age_edges_months) - 1
ROWS = 3000
NOON = "2026-01-01T12:00:00+00:00"
EXAMPLES = Path(__file__).parents[2] / "examples"


def write(models: Path, *, seed: int = 7) -> Path:
    """Write a model into `models/<digest>`, sign it as the champion; return its folder."""
    folder = unsigned(models, seed=seed)
    key = keys.create(models.parent / "keys", "a test")
    Pointer(folder.name, "seedrate", "7", statement.sign(said(folder.name), key)).write(models)
    return folder


def unsigned(models: Path, *, seed: int) -> Path:
    """Write a model into `models/<digest>`; return its folder."""
    staging = models / "staging"
    digest = make(staging, seed=seed)
    return staging.rename(models / digest)


def said(
    digest: str,
    *,
    alias: str = "champion",
    turn: int = 1,
    when: str = NOON,
    version: str = "7",
) -> Statement:
    """Return the statement that lets a model serve."""
    return Statement(
        act="promoted",
        model="seedrate",
        version=version,
        digest=digest,
        alias=alias,
        turn=turn,
        gates="0" * 64,
        who="ann",
        when=when,
        why="a test",
    )


def make(folder: Path, *, seed: int) -> str:
    """Write a model into a folder and return its digest."""
    rng = np.random.default_rng(seed)
    encoder = Encoder(
        COLUMN_SET,
        {
            column.name: {level: 0.1 * i - 0.3 for i, level in enumerate(column.levels)}
            for column in COLUMN_SET.columns
            if column.kind is Kind.CATEGORY
        },
    )
    x = np.column_stack([_values(column.name, rng) for column in COLUMN_SET.columns])
    x[rng.random(x.shape) < 0.1] = np.nan
    artifact.write(
        folder,
        card={"name": "seedrate", "family": "small"},
        column_set=COLUMN_SET,
        encoder=encoder,
        bags={
            "default": Bag((_booster(x, -1.0, rng),), np.full(BUCKETS, -6.0)),
            "exit": Bag((_booster(x, 0.5, rng),), np.full(BUCKETS, -5.0)),
        },
        constants={"lgd": 0.2},
        overlay=np.zeros((3, BUCKETS)),
        background=x[:300],
        background_weight=np.ones(300),
    )
    asked = json.loads((EXAMPLES / "good.json").read_text("utf-8"))
    terms = {name: value for name, value in asked["instrument"].items() if name != "kind"}
    vectors = [(asked["project"], Terms(**terms))]
    rules = policy.text(currency=COLUMN_SET.currency)
    return golden.add(folder, artifact.read(folder), vectors, rules)


def _values(name: str, rng: np.random.Generator) -> Floats:
    column = COLUMN_SET.columns[COLUMN_SET.names.index(name)]
    if column.kind is Kind.FLAG:
        return rng.integers(0, 2, ROWS).astype(np.float64)
    if column.kind is Kind.CATEGORY:
        return (0.1 * rng.integers(0, len(column.levels), ROWS) - 0.3).astype(np.float64)
    low = 0.0 if column.low is None else column.low
    high = 1e8 if column.high is None else column.high
    return (low + (high - low) * rng.random(ROWS) ** 3).astype(np.float64)


def _booster(x: Floats, sign: float, rng: np.random.Generator) -> str:
    """Return a Poisson booster in which runway, cash and equity pull in the sign's direction."""
    age = rng.integers(0, BUCKETS, ROWS).astype(float)
    score = sum(
        np.nan_to_num(x[:, COLUMN_SET.names.index(name)] / scale)
        for name, scale in (("runway_months", 60.0), ("cash_cny", 5e7), ("gross_margin", 1.0))
    )
    y = rng.poisson(np.exp(sign * score + 0.3 * (age == 3)))
    parameters = {
        "objective": "poisson",
        "num_leaves": 15,
        "min_data_in_leaf": 20,
        "learning_rate": 0.2,
        "seed": 1,
        "num_threads": 1,
        "verbose": -1,
        "boost_from_average": False,
    }
    data = lightgbm.Dataset(np.column_stack([x, age]), y)
    return str(lightgbm.train(parameters, data, 20).model_to_string())
