"""What others would build from the same columns: each fitted, asked for default by age, explained.

A peer knows one way to end, default. So that its probabilities are those of defaulting although a
loan may be repaid early, a loan that was is kept at risk to the end of the follow-up: the hazard is
that of the subdistribution (Fine & Gray 1999).

Sizes are what their manuals advise, or settled by a few tries on a random part of the training
projects, which also stops those that can be stopped. Weights are passed to all of them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import numpy as np
from scipy.special import expit, ndtr

from benchmarks.task import (
    MONTHS,
    Fitted,
    Floats,
    Peer,
    Task,
    breslow,
    by_hazard,
    design,
    every_age,
    rows_of,
)
from training.linear import fit_linear
from training.periods import with_bucket
from training.scorecard import fit_scorecard

SEED = 20
ROUNDS, PATIENCE = 600, 30
STEP = 6  # months between two scorecards


def linear(task: Task) -> Fitted:
    """Fit linear proportional hazards: the benchmark of every fit."""
    fitted = fit_linear(task.periods)
    return Fitted(
        lambda x: by_hazard(fitted.margins(x), task.edges),
        lambda x: fitted.design(x) * fitted.slopes,
        "log hazard",
        "ridge of 20 events",
    )


def scorecard(task: Task) -> Fitted:
    """Fit a points table a half-year, each on the loans that were watched so long."""
    cards = {}
    for month in range(STEP, MONTHS + 1, STEP):
        watched = task.watched >= month
        fell = (task.fell & (task.months <= month))[watched].astype(np.float64)
        cards[month] = fit_scorecard(task.x[watched], fell, task.weight[watched])

    def pd(x: Floats) -> Floats:
        said = np.stack([card.pd(x) for card in cards.values()], axis=1)
        return np.column_stack([np.zeros(len(x)), np.repeat(said, STEP, axis=1)])

    return Fitted(pd, None, "", "one a half-year")


def lifelines_cox(task: Task) -> Fitted:
    """Fit Cox regression on standardised columns with missing flags."""
    import pandas as pd
    from lifelines import CoxPHFitter

    warnings.simplefilter("ignore")  # of weights that are no counts, and of flags that are seldom
    form = design(task)

    def table(some: Task) -> pd.DataFrame:
        frame = pd.DataFrame(form.design(some.x)).add_prefix("z")
        return frame.assign(months=some.months, fell=some.fell, w=some.weight)

    held, best = task.held, (-np.inf, 0.0)
    for penalty in (0.001, 0.01, 0.1):
        tried = CoxPHFitter(penalizer=penalty)
        tried.fit(table(task.take(~held)), "months", "fell", weights_col="w")
        score = tried.score(table(task.take(held)), scoring_method="log_likelihood")
        best = max(best, (score, penalty))
    model = CoxPHFitter(penalizer=best[1])
    model.fit(table(task), "months", "fell", weights_col="w")
    slopes = model.params_.to_numpy()

    def fallen(x: Floats) -> Floats:
        frame = pd.DataFrame(form.design(x)).add_prefix("z")
        alive = model.predict_survival_function(frame, times=range(MONTHS + 1))
        return np.asarray(1 - alive.to_numpy().T)

    return Fitted(fallen, lambda x: form.design(x) * slopes, "log hazard", f"penalty {best[1]:g}")


def survival_boosting(task: Task) -> Fitted:
    """Fit scikit-survival's gradient boosting of the partial likelihood."""
    from sksurv.ensemble import GradientBoostingSurvivalAnalysis

    model = GradientBoostingSurvivalAnalysis(
        learning_rate=0.1,
        n_estimators=200,
        max_depth=4,
        min_samples_leaf=50,
        subsample=0.5,
        max_features=0.5,
        n_iter_no_change=10,
        validation_fraction=0.15,
        random_state=SEED,
    )
    return _sksurv(model, task, lambda: f"depth 4, {model.n_estimators_} trees")


def survival_forest(task: Task) -> Fitted:
    """Fit scikit-survival's random survival forest."""
    from sksurv.ensemble import RandomSurvivalForest

    model = RandomSurvivalForest(
        n_estimators=100, min_samples_leaf=50, max_features="sqrt", n_jobs=1, random_state=SEED
    )
    return _sksurv(model, task, lambda: "100 trees, leaves of 50")


def xgboost_cox(task: Task) -> Fitted:
    """Fit XGBoost's Cox objective, and a baseline after it."""
    import xgboost as xgb

    def data(some: Task) -> xgb.DMatrix:
        label = np.where(some.fell, some.months, -some.months)
        return xgb.DMatrix(some.x, label, weight=some.weight)

    parameters = {"objective": "survival:cox", "eval_metric": "cox-nloglik"} | _XGBOOST
    model, rounds = _stopped(task, parameters, data)
    score = model.predict(data(task), output_margin=True).astype(np.float64)
    base = breslow(task, score)

    def pd(x: Floats) -> Floats:
        said = np.exp(model.predict(xgb.DMatrix(x), output_margin=True).astype(np.float64))
        return np.asarray(-np.expm1(-said[:, None] * base))

    return Fitted(pd, _xgboost_shap(model), "log hazard", f"depth 5, {rounds} trees")


def xgboost_aft(task: Task) -> Fitted:
    """Fit XGBoost's accelerated failure times; the form and its scale are chosen."""
    import xgboost as xgb

    def data(some: Task) -> xgb.DMatrix:
        made = xgb.DMatrix(some.x, weight=some.weight)
        made.set_float_info("label_lower_bound", some.months)
        made.set_float_info("label_upper_bound", np.where(some.fell, some.months, np.inf))
        return made

    tried = []
    for form, scale in product(("normal", "logistic"), (1.0, 2.0)):
        chosen = {"aft_loss_distribution": form, "aft_loss_distribution_scale": scale}
        parameters = {"objective": "survival:aft", "eval_metric": "aft-nloglik"} | _XGBOOST | chosen
        score, rounds = _best_rounds(task, parameters, data)
        tried.append((score, rounds, form, scale, parameters))
    _, rounds, form, scale, parameters = min(tried, key=lambda one: one[0])
    model = xgb.train(parameters, data(task), rounds)
    below = {"normal": ndtr, "logistic": expit}[form]

    def pd(x: Floats) -> Floats:
        middle = model.predict(xgb.DMatrix(x), output_margin=True).astype(np.float64)
        with np.errstate(divide="ignore"):
            log_months = np.log(np.arange(MONTHS + 1.0))
        return np.asarray(below((log_months - middle[:, None]) / scale))

    note = f"{form}, scale {scale:g}, depth 5, {rounds} trees"
    return Fitted(pd, _xgboost_shap(model), "log time", note)


def catboost(task: Task) -> Fitted:
    """Fit CatBoost's Poisson objective on projects by age, as our own trees are."""
    from catboost import CatBoostRegressor, Pool

    def pool(some: Task, baseline: Floats) -> Pool:
        rows, months = rows_of(some, baseline)
        offset = rows.offset - np.log(months)
        return Pool(rows.x, rows.target / months, weight=rows.weight * months, baseline=offset)

    def grown(trees: int) -> CatBoostRegressor:
        return CatBoostRegressor(
            loss_function="Poisson",
            iterations=trees,
            depth=5,
            learning_rate=0.1,
            random_seed=SEED,
            thread_count=1,
            allow_writing_files=False,
            logging_level="Silent",
        )

    held, baseline = task.held, task.periods.baseline
    tried = grown(ROUNDS)
    late = pool(task.take(held), baseline)
    tried.fit(pool(task.take(~held), baseline), eval_set=late, early_stopping_rounds=PATIENCE)
    model = grown(max(tried.tree_count_, 20))
    model.fit(pool(task, baseline))

    def margins(x: Floats) -> Floats:
        ages = range(len(baseline))
        said = [model.predict(with_bucket(x, k), prediction_type="RawFormulaVal") for k in ages]
        return np.column_stack(said) + baseline

    return Fitted(
        lambda x: by_hazard(margins(x), task.edges),
        lambda x: model.get_feature_importance(Pool(every_age(x, task)), type="ShapValues"),
        "log hazard at every age",
        f"depth 5, {model.tree_count_} trees, hazard rows",
    )


def ebm(task: Task) -> Fitted:
    """Fit InterpretML's boosted additive model with pairs, on projects by age likewise."""
    from interpret.glassbox import ExplainableBoostingRegressor

    baseline = task.periods.baseline
    rows, months = rows_of(task, baseline)
    model = ExplainableBoostingRegressor(
        objective="poisson_deviance", interactions=10, outer_bags=4, n_jobs=1, random_state=SEED
    )
    offset, weight = rows.offset - np.log(months), rows.weight * months
    model.fit(rows.x, rows.target / months, sample_weight=weight, init_score=offset)

    def margins(x: Floats) -> Floats:
        ages = range(len(baseline))
        said = [np.log(model.predict(with_bucket(x, k))) for k in ages]
        return np.column_stack(said) + baseline

    return Fitted(
        lambda x: by_hazard(margins(x), task.edges),
        lambda x: model.eval_terms(every_age(x, task)),
        "log hazard at every age",
        "10 pairs, 4 bags, hazard rows",
    )


PEERS: Mapping[str, Peer] = {
    "linear hazards": Peer("", linear),
    "scorecard": Peer("", scorecard),
    "lifelines Cox": Peer("lifelines", lifelines_cox),
    "XGBoost Cox": Peer("xgboost", xgboost_cox),
    "XGBoost AFT": Peer("xgboost", xgboost_aft),
    "CatBoost": Peer("catboost", catboost),
    "InterpretML EBM": Peer("interpret", ebm),
    "scikit-survival forest": Peer("sksurv", survival_forest),
    "scikit-survival boosting": Peer("sksurv", survival_boosting),
}

_XGBOOST = {
    "eta": 0.1,
    "max_depth": 5,
    "min_child_weight": 10.0,
    "lambda": 5.0,
    "subsample": 0.8,
    "colsample_bytree": 0.5,
    "tree_method": "hist",
    "nthread": 1,
    "seed": SEED,
}


def _best_rounds(
    task: Task, parameters: Mapping[str, Any], data: Callable[[Task], Any]
) -> tuple[float, int]:
    """Return the score and the number of rounds that foretell the held part best."""
    import xgboost as xgb

    held = task.held
    tried = xgb.train(
        dict(parameters),
        data(task.take(~held)),
        ROUNDS,
        evals=[(data(task.take(held)), "held")],
        early_stopping_rounds=PATIENCE,
        verbose_eval=False,
    )
    return float(tried.best_score), int(tried.best_iteration) + 1


def _stopped(
    task: Task, parameters: Mapping[str, Any], data: Callable[[Task], Any]
) -> tuple[Any, int]:
    """Return XGBoost's trees on all projects, as many as the held part asks for."""
    import xgboost as xgb

    rounds = _best_rounds(task, parameters, data)[1]
    return xgb.train(dict(parameters), data(task), rounds), rounds


def _xgboost_shap(model: Any) -> Callable[[Floats], object]:
    import xgboost as xgb

    return lambda x: model.predict(xgb.DMatrix(x), pred_contribs=True)


def _sksurv(model: Any, task: Task, note: Callable[[], str]) -> Fitted:
    """Fit a model of scikit-survival on filled columns with missing flags."""
    from sksurv.util import Surv

    form = design(task)
    outcome = Surv.from_arrays(task.fell, task.months)
    model.fit(form.design(task.x), outcome, sample_weight=task.weight)
    at = np.searchsorted(model.unique_times_, np.arange(MONTHS + 1), side="right") - 1

    def pd(x: Floats) -> Floats:
        alive = model.predict_survival_function(form.design(x), return_array=True)
        return np.asarray(np.where(at < 0, 0.0, 1 - alive[:, np.maximum(at, 0)]))

    return Fitted(pd, None, "", note())
