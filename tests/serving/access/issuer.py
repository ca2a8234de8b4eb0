"""An issuer of tokens with keys of its own, and a real server that shows the public ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as rsa_key
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from serving.access.token import TokenRules
from tests.loopback import listening

NOON = 1_800_000_000.0
RULES = TokenRules("https://id.example", "seedrate", "tenant", "scope", 600)


@dataclass
class TestIssuer:
    """Signs whatever it is asked to sign; `jwks` is what it shows."""

    __test__ = False

    private: dict[str, Any] = field(default_factory=dict)
    public: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def with_keys(cls) -> TestIssuer:
        made = cls()
        made.add("ec", generate_private_key(SECP256R1()), ECAlgorithm, "ES256")
        made.add("ed", Ed25519PrivateKey.generate(), OKPAlgorithm, "EdDSA")
        made.add("rsa", rsa_key(65537, 2048), RSAAlgorithm, "RS256")
        return made

    def add(self, kid: str, private: Any, algorithm: Any, name: str) -> None:
        self.private[kid] = private, name
        shown = algorithm.to_jwk(private.public_key(), as_dict=True)
        self.public[kid] = shown | {"kid": kid, "use": "sig"}

    def token(self, kid: str = "ec", now: float = NOON, **changes: Any) -> bytes:
        """Return a sound token with claims changed; ... removes one."""
        private, algorithm = self.private[kid]
        return jwt.encode(claims(now, **changes), private, algorithm, headers={"kid": kid}).encode()

    @property
    def jwks(self) -> bytes:
        return orjson.dumps({"keys": [*self.public.values()]})


def claims(now: float = NOON, **changes: Any) -> dict[str, Any]:
    sound = {
        "iss": RULES.issuer,
        "aud": RULES.audience,
        "sub": "front-office",
        "tenant": "bank",
        "scope": "openid price explain",
        "jti": "1",
        "nbf": int(now) - 10,
        "exp": int(now) + 300,
    }
    return {name: value for name, value in {**sound, **changes}.items() if value is not ...}


@contextmanager
def shown(issuer: TestIssuer) -> Iterator[tuple[str, list[str]]]:
    """Serve the issuer's keys on this machine; yield the address and the requests that came."""
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(302 if self.path == "/moved" else 200)
            self.send_header("Location", "/jwks")
            self.end_headers()
            self.wfile.write(issuer.jwks)

    with listening(Answer) as url:
        yield url, asked
