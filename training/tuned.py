"""Sizes that a search has found, and where they come from: a small TOML file beside its trials."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from pricing.errors import Fault, InputError
from training.split import Labels, Split, name_of

HEAD = (
    "# Found by `python -m training tune`; to learn by it: `python -m training fit --tuned FILE`."
)


@dataclass(frozen=True)
class Tuned:
    """What was chosen, of what, on which folds.

    Attributes:
        family: whose sizes they are.
        chosen: by "part.name", for example {"default.depth": 5}; the rest is as shipped.
        study: name of the search.
        data: SHA-256 of the file.
        column_set: its name and version.
        columns: SHA-256 of the column set.
        labels: that were learnt from.
        folds: judged months of each.
        until: year and month in which the test window begins; nothing later was looked at.
        seed: of the search.
        objective: what was made large.
        gain: of the chosen, its mean over the folds.
        shipped_gain: of the sizes as shipped, likewise.
        trials: that were judged on all folds.
        pruned: that were given up before.
    """

    family: str
    chosen: Mapping[str, int | float]
    study: str
    data: str
    column_set: str
    columns: str
    labels: str
    folds: tuple[str, ...]
    until: str
    seed: int
    objective: str
    gain: float
    shipped_gain: float
    trials: int
    pruned: int

    def text(self) -> str:
        """Return the file."""
        said = {key: value for key, value in asdict(self).items() if key != "chosen"}
        return "\n".join([HEAD, *_lines(said), "", "[chosen]", *_lines(self.chosen), ""])

    @classmethod
    def read(cls, file: Path) -> Tuned:
        """Read a file that `text` wrote.

        Raises:
            InputError: there is none, or it is not of this kind; names what is at fault.
        """
        try:
            said: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            expected = "a file that `python -m training tune` wrote"
            raise InputError.of("tuned", expected, f"{file}: {error}") from error
        names = [each.name for each in fields(cls)]
        faults = [Fault(f"tuned.{n}", "in the file", "absent") for n in names if n not in said]
        faults += [Fault(f"tuned.{n}", "left out", "there") for n in said if n not in names]
        if faults:
            raise InputError(faults)
        return cls(**{**said, "folds": tuple(said["folds"])})

    def check(self, parts: Split) -> None:
        """Refuse sizes whose search has looked at what a fit is to be judged on.

        Raises:
            InputError: it looked into the test window, knew more than the fit may, or was of
                another column set; says all of it.
        """
        column_set, faults = parts.train.column_set, []
        if self.column_set.split()[0] != column_set.name:
            faults.append(Fault("tuned.column_set", column_set.name, self.column_set))
        test_from = name_of(parts.test_from)
        if self.until > test_from:
            expected = f"{test_from} or earlier, where the test window begins"
            faults.append(Fault("tuned.until", expected, self.until))
        if self.labels == Labels.MATURE and parts.labels != Labels.MATURE:
            expected = "as_known: a search on mature labels knows what a lender could not"
            faults.append(Fault("tuned.labels", expected, self.labels))
        if faults:
            raise InputError(faults)


def _lines(table: Mapping[str, Any]) -> list[str]:
    """Return keys and values as TOML; JSON writes texts, numbers and lists of them the same way."""
    return [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in table.items()]
