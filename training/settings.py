"""What the environment may set for training; the server reads the same names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pricing.errors import InputError


@dataclass(frozen=True)
class Settings:
    """Where things lie.

    Attributes:
        var: folder of everything a run writes.
        uri: of the MLflow server or database.
        artifacts: where a local database keeps its files; None leaves that to the server.
        model: name of the registered model.
        alias: of the version that serves.
        policy: TOML file of the policy that prices are shown under; None is the embedded one.
    """

    var: Path
    uri: str
    artifacts: Path | None
    model: str
    alias: str
    policy: Path | None

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings.

        >>> Settings.read({"SEEDRATE_VAR": "/tmp/run"}).uri
        'sqlite:////tmp/run/mlflow.db'

        Raises:
            InputError: there is no registry to record in.
        """
        var = Path(environ.get("SEEDRATE_VAR") or "var").absolute()
        uri = environ.get("SEEDRATE_TRACKING_URI") or f"sqlite:///{var / 'mlflow.db'}"
        if uri == "off":
            raise InputError.of("SEEDRATE_TRACKING_URI", "an MLflow server or database", uri)
        policy = environ.get("SEEDRATE_POLICY")
        return cls(
            var=var,
            uri=uri,
            artifacts=var / "artifacts" if uri.startswith("sqlite:") else None,
            model=environ.get("SEEDRATE_MODEL") or "seedrate",
            alias=environ.get("SEEDRATE_ALIAS") or "champion",
            policy=Path(policy) if policy else None,
        )

    @property
    def copies(self) -> Path:
        """Return the folder of verified local copies of models."""
        return self.var / "models"

    @property
    def simulated(self) -> Path:
        """Return the file of the embedded data."""
        return self.var / "data" / "early_stage.parquet"
