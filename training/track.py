"""A fit, recorded: an MLflow run with what went in and what came out, and a registered version.

A search is a run of its own, in an experiment of its own, with a run below it for every trial.

The model is logged as data with the name of its loader, `models.pyfunc`: no pickle, and no code of
ours that could differ from the checkout's.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TypeVar

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.models import ModelSignature
from mlflow.types.schema import AnyType, ColSpec, DataType, Schema, TensorSpec
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT, MLFLOW_PARENT_RUN_ID

from features.column import ColumnSet
from models import pyfunc, registry
from models.registry import Version

LONGEST_DIGEST = 36  # of an MLflow dataset; the whole digest is a tag and a parameter
LONGEST_VALUE = 500  # of a parameter
BATCH = 100  # parameters a request; metrics may be 1,000
T = TypeVar("T")
LOADS_WITH = ("lightgbm", "numba", "numpy", "pandas", "polars", "scipy")


@dataclass(frozen=True)
class Data:
    """A side of the split: which loans of which file."""

    context: str  # "training" or "testing"
    path: Path
    digest: str  # SHA-256 of the file
    counts: Mapping[str, float]  # projects, defaults, ...


@dataclass(frozen=True)
class Figure:
    """One number of a run; `step` is the vintage's year where there is one."""

    key: str
    value: float
    step: int = 0


@dataclass(frozen=True)
class Entry:
    """What a run is to hold.

    Attributes:
        name: of the experiment and of the registered model.
        title: of the run.
        model: the model's folder, sealed; its last name must be `registry.FOLDER`.
        column_set: from which the signature is made.
        data: both sides of the split.
        parameters: of the fit, as text.
        figures: metrics.
        papers: a folder of tables and curves.
        example: rows that `predict` takes.
        summary: of the version, in a sentence.
        tags: of the run and of the version.
    """

    name: str
    title: str
    model: Path
    column_set: ColumnSet
    data: Sequence[Data]
    parameters: Mapping[str, str]
    figures: Sequence[Figure]
    papers: Path
    example: pd.DataFrame
    summary: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Trial:
    """One trial of a search.

    Attributes:
        name: of its run; of the search's trials it alone has it.
        parameters: that were tried, as text.
        figures: metrics; `step` is the fold's number where there is one.
        tags: what else there is to find it by.
        began: seconds since January 1970.
        seconds: that it took.
    """

    name: str
    parameters: Mapping[str, str]
    figures: Sequence[Figure]
    tags: Mapping[str, str]
    began: float
    seconds: float


def record(client: MlflowClient, entry: Entry, artifacts: Path | None) -> Version:
    """Write the run, log the model, register the version.

    Args:
        client: from `registry.client`.
        entry: what to record.
        artifacts: where a local database keeps files; None leaves that to the server.
    """
    with mlflow.start_run(
        experiment_id=_experiment(client, entry.name, artifacts), run_name=entry.title
    ) as run:
        run_id = str(run.info.run_id)
        _inputs(client, run_id, entry)
        _words(client, run_id, entry)
        client.log_artifacts(run_id, str(entry.papers))
        client.log_artifact(run_id, str(entry.model / "manifest.json"))
        logged = mlflow.pyfunc.log_model(
            name=registry.FOLDER,
            loader_module="models.pyfunc",
            data_path=str(entry.model),
            signature=signature(entry.column_set),
            input_example=entry.example,
            pip_requirements=[f"{name}=={metadata.version(name)}" for name in LOADS_WITH],
        )
        _numbers(client, run_id, entry, logged.model_id)  # before, they cost a request each
    if not client.search_registered_models(filter_string=f"name = '{entry.name}'"):
        client.create_registered_model(entry.name)
    made = client.create_model_version(
        entry.name,
        source=logged.model_uri,
        run_id=run_id,
        model_id=logged.model_id,
        tags=dict(entry.tags),
        description=entry.summary,
    )
    return Version(entry.name, str(made.version), run_id, dict(entry.tags))


@dataclass(frozen=True)
class Log:
    """The run of a search, found again by the search's name and identity, or made."""

    client: MlflowClient
    experiment_id: str
    run_id: str

    @classmethod
    def open(
        cls, client: MlflowClient, name: str, tags: Mapping[str, str], artifacts: Path | None
    ) -> Log:
        """Return the run with these tags.

        Args:
            client: from `registry.client`.
            name: of the experiment.
            tags: of the run; "study" is its title.
            artifacts: where a local database keeps files; None leaves that to the server.
        """
        at = _experiment(client, name, artifacts)
        same = " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
        found = client.search_runs([at], same, max_results=1)
        run = found[0] if found else client.create_run(at, tags=dict(tags), run_name=tags["study"])
        client.update_run(run.info.run_id, status="RUNNING")
        return cls(client, at, str(run.info.run_id))

    def names(self) -> set[str]:
        """Return the names of the trials that it holds."""
        below = (
            f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{self.run_id}' and attributes.status = 'FINISHED'"
        )
        names, token = set[str](), None
        while True:
            page = self.client.search_runs([self.experiment_id], below, page_token=token)
            names |= {str(run.info.run_name) for run in page}
            token = page.token
            if not token:
                return names

    def add(self, trial: Trial) -> None:
        """Write a trial as a run below."""
        tags = {**trial.tags, MLFLOW_PARENT_RUN_ID: self.run_id}
        began = int(trial.began * 1000)
        made = self.client.create_run(self.experiment_id, began, tags, run_name=trial.name)
        run_id, ended = str(made.info.run_id), began + int(trial.seconds * 1000)
        self.client.log_batch(
            run_id,
            metrics=[Metric(f.key, f.value, ended, f.step) for f in trial.figures],
            params=[Param(key, value) for key, value in trial.parameters.items()],
        )
        self.client.set_terminated(run_id, end_time=ended)

    def close(self, figures: Sequence[Figure], files: Path) -> None:
        """Write what the search has come to: figures, and the files of a folder."""
        now = time.time_ns() // 1_000_000
        metrics = [Metric(f.key, f.value, now, f.step) for f in figures]
        self.client.log_batch(self.run_id, metrics=metrics)
        self.client.log_artifacts(self.run_id, str(files))
        self.client.set_terminated(self.run_id)


def file_of(run_id: str, name: str, into: Path) -> Path:
    """Return a file of a run, downloaded into a folder."""
    return Path(
        mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=name, dst_path=str(into))
    )


def reach(client: MlflowClient) -> None:
    """Ask the server anything, so that a fit of many minutes is not lost for want of one."""
    client.search_experiments(max_results=1)


def signature(column_set: ColumnSet) -> ModelSignature:
    """Return what `predict` takes and gives.

    Most columns are declared as of any type. MLflow would else refuse a table for what pandas does
    with missing values: whole numbers where doubles are declared, and an empty text column. The
    loader checks every value against the column set itself, and names each fault.
    """
    anything = AnyType()  # type: ignore[no-untyped-call]  # mlflow does not annotate it
    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(anything, column.name, required=not column.optional)
        for column in column_set.asked
        if column.name not in pyfunc.TERMS
    ]
    inputs += [
        ColSpec(anything, "amount"),
        ColSpec(anything, "term_months"),
        ColSpec(DataType.string, "repayment"),
        ColSpec(anything, "grace_months", required=False),
        ColSpec(anything, "payment_months", required=False),
    ]
    given: list[ColSpec | TensorSpec] = [ColSpec(DataType.double, name) for name in pyfunc.FIGURES]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(given))


def _experiment(client: MlflowClient, name: str, artifacts: Path | None) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    location = None if artifacts is None else artifacts.absolute().as_uri()
    return client.create_experiment(name, artifact_location=location)


def _inputs(client: MlflowClient, run_id: str, entry: Entry) -> None:
    spec = [{"name": c.name, "type": c.kind.value} for c in entry.column_set.columns]
    inputs = [
        DatasetInput(
            Dataset(
                name=f"{data.path.name}: {data.context}",  # two of one name and digest are one
                digest=data.digest[:LONGEST_DIGEST],
                source_type="local",
                source=json.dumps({"uri": str(data.path.absolute())}),
                schema=json.dumps({"columns": spec}),
                profile=json.dumps({"sha256": data.digest, **data.counts}),
            ),
            [InputTag(MLFLOW_DATASET_CONTEXT, data.context)],
        )
        for data in entry.data
    ]
    client.log_inputs(run_id, inputs)


def _words(client: MlflowClient, run_id: str, entry: Entry) -> None:
    client.log_batch(run_id, tags=[RunTag(key, value) for key, value in entry.tags.items()])
    params = [Param(key, value[:LONGEST_VALUE]) for key, value in entry.parameters.items()]
    for some in _batches(params):
        client.log_batch(run_id, params=some)


def _numbers(client: MlflowClient, run_id: str, entry: Entry, model_id: str | None) -> None:
    """Write the metrics of the run; those of all vintages together are shown with the model too."""
    now = time.time_ns() // 1_000_000
    metrics = [
        Metric(f.key, f.value, now, f.step, model_id=None if f.step else model_id)
        for f in entry.figures
    ]
    for some in _batches(metrics):
        client.log_batch(run_id, metrics=some)


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]
