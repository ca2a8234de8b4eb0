"""A bank's desk: its files, and the commands that a person types there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner, Result

from models import keys, registry
from training.__main__ import app

LOANS = 3000
OVERRIDE = ["--override", "a test bank is too small to beat anything"]


@dataclass(frozen=True)
class Bank:
    """A bank's desk: its files, and the commands in its environment."""

    folder: Path
    environment: Mapping[str, str]

    @property
    def uri(self) -> str:
        return self.environment.get(
            "SEEDRATE_TRACKING_URI", f"sqlite:///{self.folder / 'var' / 'mlflow.db'}"
        )

    @property
    def trusted(self) -> Path:
        return self.folder / "var" / "keys" / keys.TRUSTED

    @property
    def copies(self) -> Path:
        return self.folder / "var" / "models"

    def does(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, list(arguments), env=dict(self.environment))

    def did(self, *arguments: str) -> str:
        result = self.does(*arguments)
        assert result.exit_code == 0, result.output + result.stderr
        return result.output

    def fits(self, *more: str) -> str:
        files = ("--columns", str(self.folder / "bank.toml"))
        data = ("--data", str(self.folder / "loans.csv"))
        return self.did("fit", *files, *data, "--quick", *more)

    def champion(self) -> Path:
        return self.pulls(self.copies)

    def pulls(self, into: Path) -> Path:
        """Return the champion's copy in a folder, as a server has it that serves it."""
        trusted = keys.trusted(self.trusted)
        pointer = registry.pull("seedrate", "champion", self.uri, into, trusted)
        pointer.write(into)
        return into / pointer.digest
