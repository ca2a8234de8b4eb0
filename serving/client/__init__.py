"""A client of a seedrate server: typed, retrying safely, holding the log to its past.

Needs httpx, and cryptography for proofs; loads neither models nor the server: docs/client.md.
"""

from serving.client.client import Client
from serving.client.refusals import CallError, NoAnswerError, ProblemError
from serving.client.replies import Checkpoint, Line, Quote, Reason, Receipt
from serving.client.witness import Witness
from serving.ledger.tree import ProofError

__all__ = [
    "CallError",
    "Checkpoint",
    "Client",
    "Line",
    "NoAnswerError",
    "ProblemError",
    "ProofError",
    "Quote",
    "Reason",
    "Receipt",
    "Witness",
]
