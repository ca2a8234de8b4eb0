"""What it costs to know who asks: a key and a token, each known already, and a key seen first.

python -m benchmarks.access

Processor time, in process: the guard's whole part of a request (who, which scope, how much), as the
gate calls it.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import jwt
import numpy as np
import orjson
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from serving.access import root
from serving.access.caller import SCOPES
from serving.access.guard import Guard
from serving.doors import DOORS
from serving.settings import Settings

REQUESTS, ROUNDS = 2_000, 20
DOOR = next(door for door in DOORS if door.path == "/v1/quotes")


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        var = Path(folder)
        settings = Settings.read(environment(var))
        key = root.key_store(settings).create(
            "bank", "benchmark", frozenset(SCOPES), int(time.time()) + 3600
        )
        asyncio.run(measured(settings, key.text.encode(), token(var)))


async def measured(settings: Settings, key: bytes, signed: bytes) -> None:
    """Print the microseconds of one request each way."""
    guard = root.guard(settings)
    said("a key, known", await microseconds(lambda: passed(guard, key), REQUESTS))
    said("a token, known", await microseconds(lambda: passed(guard, signed), REQUESTS))

    async def first() -> None:
        guard.ring._known.clear()
        await passed(guard, key)

    said("a key, asked of the store", await microseconds(first, 100))
    guard.close()


async def passed(guard: Guard, credential: bytes) -> None:
    """Let one request through, as the gate does."""
    caller = await guard.caller(DOOR, b"Bearer " + credential)
    guard.enter(DOOR, caller, None)
    guard.leave(DOOR, caller)


async def microseconds(ask: Callable[[], Awaitable[None]], requests: int) -> list[float]:
    """Return the mean processor time of each of some rounds."""
    means = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(requests):
            await ask()
        means.append(1e6 * (time.process_time() - began) / requests)
    return means


def said(what: str, means: list[float]) -> None:
    """Print the median and the range of the rounds."""
    low, middle, high = np.percentile(means, (0, 50, 100))
    print(f"{what:<26} {middle:8.2f} us   ({low:.2f} to {high:.2f})")


def environment(var: Path) -> dict[str, str]:
    """Return settings that take keys and tokens, and limit nothing."""
    return {
        "SEEDRATE_VAR": str(var),
        "SEEDRATE_JWKS": str(var / "jwks.json"),
        "SEEDRATE_JWT_ISSUER": "https://issuer.example",
        "SEEDRATE_JWT_AUDIENCE": "seedrate",
        "SEEDRATE_LIMIT_PRICE": "10000000",
    }


def token(var: Path) -> bytes:
    """Return a token of an issuer whose keys are written beside it."""
    private = generate_private_key(SECP256R1())
    algorithm = jwt.algorithms.ECAlgorithm
    public = algorithm.to_jwk(private.public_key(), as_dict=True) | {"kid": "one", "use": "sig"}
    (var / "jwks.json").write_bytes(orjson.dumps({"keys": [public]}))
    now = int(time.time())
    claims = {
        "iss": "https://issuer.example",
        "aud": "seedrate",
        "sub": "benchmark",
        "tenant": "bank",
        "scope": "price",
        "jti": secrets.token_hex(8),
        "nbf": now,
        "exp": now + 600,
    }
    return jwt.encode(claims, private, algorithm="ES256", headers={"kid": "one"}).encode()


if __name__ == "__main__":
    main()
