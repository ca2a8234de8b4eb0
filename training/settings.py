"""What the environment may set for training; the server reads the same names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models.keys import TRUSTED
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
        gates: TOML file of what a version must show; None is the embedded one.
        signing_key: file of the private key that signs; None is the local one, made if absent.
        trusted_keys: file of the public keys that servers trust.
    """

    var: Path
    uri: str
    artifacts: Path | None
    model: str
    alias: str
    policy: Path | None
    gates: Path | None
    signing_key: Path | None
    trusted_keys: Path

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
        return cls(
            var=var,
            uri=uri,
            artifacts=var / "artifacts" if uri.startswith("sqlite:") else None,
            model=environ.get("SEEDRATE_MODEL") or "seedrate",
            alias=environ.get("SEEDRATE_ALIAS") or "champion",
            policy=_file(environ, "SEEDRATE_POLICY"),
            gates=_file(environ, "SEEDRATE_GATES"),
            signing_key=_file(environ, "SEEDRATE_SIGNING_KEY"),
            trusted_keys=_file(environ, "SEEDRATE_TRUSTED_KEYS") or var / "keys" / TRUSTED,
        )

    @property
    def keys(self) -> Path:
        """Return the folder of the local keys."""
        return self.var / "keys"

    @property
    def copies(self) -> Path:
        """Return the folder of verified local copies of models."""
        return self.var / "models"

    @property
    def simulated(self) -> Path:
        """Return the file of the embedded data."""
        return self.var / "data" / "early_stage.parquet"


def _file(environ: Mapping[str, str], name: str) -> Path | None:
    path = environ.get(name)
    return Path(path).absolute() if path else None
