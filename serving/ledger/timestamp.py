"""RFC 3161: a time-stamping authority signs that a checkpoint existed at a time.

What is stamped is the text of the checkpoint, origin, size and root, without our signature. The
token is the authority's whole answer, DER; `openssl ts -verify` reads it too.
"""

from __future__ import annotations

import urllib.request
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from serving.ledger.anchors import AnchorError
from serving.ledger.note import Checkpoint
from serving.ledger.tree import ProofError

TIMEOUT_SECONDS = 20.0
MOST_BYTES = 64 * 1024
TYPE = "application/timestamp-query"


@dataclass(frozen=True)
class Timestamp:
    """One time-stamping authority, and the roots that its certificates must lead to."""

    url: str
    roots: tuple[x509.Certificate, ...]
    kind: str = "rfc3161"

    @classmethod
    def at(cls, url: str, certificates: Path) -> Timestamp:
        """Return an authority by its address and a PEM file of root certificates."""
        return cls(url, tuple(x509.load_pem_x509_certificates(certificates.read_bytes())))

    def publish(self, origin: str, size: int, root: bytes) -> bytes:
        """Have a checkpoint stamped; return the token, which has been verified.

        Raises:
            AnchorError: the authority cannot be reached, or its answer does not hold.
        """
        data = Checkpoint(origin, size, root).text.encode()
        builder = TimestampRequestBuilder(data=data, hash_algorithm=HashAlgorithm.SHA256)
        asked = builder.nonce(nonce=True).cert_request(cert_request=True).build()
        request = urllib.request.Request(self.url, asked.as_bytes(), {"Content-Type": TYPE})
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as reply:
                token: bytes = reply.read(MOST_BYTES)
            self._verify(data, token, asked.nonce)
        except (OSError, ProofError) as error:
            raise AnchorError(f"{self.url}: {error}") from error
        return token

    def verify(self, origin: str, size: int, root: bytes, evidence: bytes) -> str:
        """Return when the checkpoint existed at the latest.

        Raises:
            ProofError: the token does not say so.
        """
        return self._verify(Checkpoint(origin, size, root).text.encode(), evidence, None)

    def _verify(self, data: bytes, token: bytes, nonce: int | None) -> str:
        try:
            answer = decode_timestamp_response(token)
            builder = VerifierBuilder(roots=[*self.roots], nonce=nonce)
            builder.build().verify(answer, sha256(data).digest())
            stamped = answer.tst_info.gen_time
        except (VerificationError, ValueError) as error:
            raise ProofError(f"the time stamp must hold, however: {error}") from error
        return f"existed by {stamped.isoformat()}, as {self.url} has signed"
