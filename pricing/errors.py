"""Every error we raise on purpose.

SeedrateError
├── InputError       the caller can mend it            -> 422, lists every field at fault
├── PolicyError      the answer is "we do not quote"   -> 409
└── ModelError       the artefact is unfit to serve    -> not ready; while a price is made -> 500
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One thing wrong with one field: where it is, what was expected, what came."""

    field: str
    expected: str
    given: str

    def __str__(self) -> str:
        """Return the sentence "field must be ..., however: ..."."""
        return f"{self.field} must be {self.expected}, however: {self.given}"


class SeedrateError(Exception):
    """What all our errors share: a stable `code` that callers may match on."""

    code = "error"


class InputError(SeedrateError):
    """The caller's data or file is wrong; `faults` lists everything that is, in order."""

    code = "invalid_input"

    def __init__(self, faults: Sequence[Fault]) -> None:
        """Keep the faults; the message is one line a fault."""
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))

    @classmethod
    def of(cls, field: str, expected: str, given: object) -> InputError:
        """Return the error of a single field.

        >>> str(InputError.of("pd", "in [0, 1)", 1.5))
        'pd must be in [0, 1), however: 1.5'
        """
        return cls([Fault(field, expected, str(given))])


@contextmanager
def gathered(faults: list[Fault]) -> Iterator[None]:
    """Note the faults of an InputError and go on, so that they can be raised all at once.

    >>> faults = []
    >>> with gathered(faults):
    ...     raise InputError.of("pd", "in [0, 1)", 1.5)
    >>> faults[0].field
    'pd'
    """
    try:
        yield
    except InputError as error:
        faults += error.faults


class PolicyError(SeedrateError):
    """The request is sound, and the policy's answer is that there is no quote."""

    code = "not_quoted"


class ModelError(SeedrateError):
    """The model's files are missing, altered or unfit."""

    code = "model_unfit"
