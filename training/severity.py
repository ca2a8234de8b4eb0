"""Loss given default as a bag of trees on the age at default, speaking logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import lightgbm
import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit

from features.book import DEFAULTED, Book
from models.leaves import Bag
from training.blanks import Blanks
from training.boost import margins, member_seed, sample
from training.periods import Floats, with_bucket
from training.trees import Trees

ENOUGH_LOSSES = 100  # below, one number for all
UNKNOWN_LGD = 0.40  # senior unsecured claims on corporates, CRE32.6 of the Basel framework
LEAST_LGD = 0.001  # a logit needs room at both ends


@dataclass(frozen=True)
class Severity:
    """The LGD model: a bag, or one logit for all; and where it came from."""

    bag: Bag | None
    constant: float
    source: str
    losses: int
    mean: float


def learn(
    x: Floats,
    book: Book,
    *,
    signs: Sequence[int],
    trees: Trees,
    blanks: Blanks,
    seed: int,
    threads: int,
) -> Severity:
    """Return the LGD model of the defaults whose loss is known.

    Losses are fractions of the exposure at default. The objective is LightGBM's "cross_entropy",
    whose raw score is the logit of the mean; the level is set afterwards so that the weighted mean
    of the predictions is the weighted mean loss.

    Args:
        x: (n, columns) encoded.
        book: the same projects.
        signs: of default: what must raise the risk must not lower the loss.
        trees: size and pace.
        blanks: the cells that go missing.
        seed: of the samples and of LightGBM.
        threads: of LightGBM.
    """
    known = (book.event == DEFAULTED) & np.isfinite(book.lgd)
    if not known.any():
        constant = float(logit(UNKNOWN_LGD))
        return Severity(None, constant, "no losses in the data: CRE32.6", 0, UNKNOWN_LGD)
    losses, weight = np.clip(book.lgd[known], 0.0, 1.0), book.weight[known]
    mean = float(np.clip(np.average(losses, weights=weight), LEAST_LGD, 1 - LEAST_LGD))
    if len(losses) < ENOUGH_LOSSES:
        return Severity(None, float(logit(mean)), "mean of the data", len(losses), mean)
    edges = np.asarray(book.column_set.age_edges_months)
    bucket = np.clip(
        np.searchsorted(edges, book.age_months[known], side="left") - 1, 0, len(edges) - 2
    )
    texts = []
    for member in range(trees.members):
        dice = np.random.default_rng([seed, member])
        seen = sample(len(losses), trees.sample_share, dice)
        cells = with_bucket(blanks.put_into(x[known][seen], dice), bucket[seen])
        parameters = trees.parameters(signs, seed=member_seed(seed, member), threads=threads)
        parameters |= {"objective": "cross_entropy", "metric": "None", "boost_from_average": False}
        start = np.full(len(cells), logit(mean))
        data = lightgbm.Dataset(
            cells, losses[seen], weight=weight[seen], init_score=start, params=parameters
        )
        booster = lightgbm.train(parameters, data, trees.rounds)
        texts.append(booster.model_to_string())
    bag = Bag(tuple(texts), np.full(len(edges) - 1, logit(mean)))
    score = margins(bag, x[known], threads=threads)[np.arange(len(losses)), bucket]
    shift = level(score, weight=weight, mean=mean)
    return Severity(Bag(bag.boosters, bag.baseline + shift), 0.0, "trees", len(losses), mean)


def level(score: Floats, *, weight: Floats, mean: float) -> float:
    """Return the shift s of the logits with sum w expit(score + s) / sum w = mean.

    >>> round(level(np.array([0.0, 0.0]), weight=np.ones(2), mean=0.731059), 4)
    1.0
    """
    return float(brentq(lambda s: np.average(expit(score + s), weights=weight) - mean, -20.0, 20.0))
