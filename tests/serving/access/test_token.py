from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from pathlib import Path
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from jwt.algorithms import ECAlgorithm

from serving.access.caller import Caller
from serving.access.credential import CredentialError, Why
from serving.access.jwks import REFRESH_SECONDS, RETRY_SECONDS, STALE_SECONDS, Jwks, is_source
from serving.access.token import LEEWAY_SECONDS, Issuer
from serving.problem import RefusedError
from tests.serving.access.clock import Clock
from tests.serving.access.issuer import NOON, RULES, TestIssuer, claims, shown

ISSUER = TestIssuer.with_keys()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "jwks.json"
    path.write_bytes(ISSUER.jwks)
    return path


def issuer(source: object, clock: Clock | None = None) -> Issuer:
    clock = clock or Clock(NOON)
    return Issuer(RULES, Jwks(str(source), clock), clock)


def ask(known: Issuer, token: bytes) -> Caller:
    return asyncio.run(known.caller(token))


def why_not(known: Issuer, token: bytes) -> Why:
    with pytest.raises(CredentialError) as refused:
        ask(known, token)
    return refused.value.why


@pytest.mark.parametrize("kid", ["ec", "ed"])
def test_a_sound_token_says_who_asks(file: Path, kid: str) -> None:
    assert ask(issuer(file), ISSUER.token(kid)) == Caller(
        "bank", "front-office", frozenset({"price", "explain"})
    )


def test_scopes_may_be_a_list_and_unknown_ones_are_left_out(file: Path) -> None:
    token = ISSUER.token(scope=["price", "superuser", 7])
    assert ask(issuer(file), token).scopes == {"price"}


@pytest.mark.parametrize("claim", ["iss", "aud", "exp", "nbf", "jti", "sub", "tenant"])
def test_a_token_without_a_claim_is_refused(file: Path, claim: str) -> None:
    assert why_not(issuer(file), ISSUER.token("ec", NOON, **{claim: ...})) is Why.UNTRUSTED


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("iss", "https://other.example"),
        ("aud", "another-service"),
        ("aud", ["another", "service"]),
        ("nbf", int(NOON) + LEEWAY_SECONDS + 1),
        ("exp", int(NOON) - 10 + 601),  # 601 s after nbf
        ("nbf", int(NOON) - 400),  # 700 s before exp
        ("exp", "soon"),
        ("exp", True),
        ("exp", float("nan")),
        ("exp", float("inf")),
        ("nbf", None),
        ("tenant", ""),
        ("tenant", ["bank"]),
        ("tenant", "bank/../other"),
        ("sub", "x" * 65),
    ],
)
def test_a_token_with_a_wrong_claim_is_refused(file: Path, claim: str, value: object) -> None:
    assert why_not(issuer(file), ISSUER.token("ec", NOON, **{claim: value})) in (
        Why.UNTRUSTED,
        Why.EXPIRED,
    )


def test_a_token_that_has_expired_is_refused(file: Path) -> None:
    ended = int(NOON) - LEEWAY_SECONDS
    assert why_not(issuer(file), ISSUER.token(exp=ended, nbf=ended - 60)) is Why.EXPIRED


def test_a_token_is_believed_until_it_expires_and_no_longer(file: Path) -> None:
    clock = Clock(NOON)
    known, token = issuer(file, clock), ISSUER.token(exp=int(NOON) + 300)
    ask(known, token)
    file.unlink()
    clock.at = NOON + 300 + LEEWAY_SECONDS - 1
    ask(known, token)
    clock.at += 1
    assert why_not(known, token) is Why.EXPIRED


def test_a_withdrawn_key_does_not_outlive_the_tokens_it_signed(file: Path) -> None:
    clock = Clock(NOON)
    known, token = issuer(file, clock), ISSUER.token()
    ask(known, token)
    file.write_bytes(orjson.dumps({"keys": [ISSUER.public["ed"]]}))
    clock.at += 299
    ask(known, token)


def test_without_the_issuer_its_keys_stay_as_they_were(file: Path) -> None:
    clock = Clock(NOON)
    known = issuer(file, clock)
    ask(known, ISSUER.token())
    file.unlink()
    clock.at += STALE_SECONDS
    ask(known, ISSUER.token(now=clock.at))


def unsigned(header: dict[str, object], body: dict[str, Any]) -> bytes:
    return b".".join(
        base64.urlsafe_b64encode(orjson.dumps(part)).rstrip(b"=") for part in (header, body)
    )


def test_an_unsigned_token_is_refused(file: Path) -> None:
    for algorithm in ("none", "None", "NONE", ""):
        bare = unsigned({"alg": algorithm, "kid": "ec", "typ": "JWT"}, claims())
        for signature in (b"", b"AAAA"):
            assert why_not(issuer(file), bare + b"." + signature) is Why.UNTRUSTED


def test_a_token_signed_with_the_public_key_as_a_password_is_refused(file: Path) -> None:
    """The confusion of RS256 or ES256 with HS256: CVE-2015-9235 and its kin."""
    shown_keys = [orjson.dumps(ISSUER.public["ec"]), ISSUER.jwks]
    for password in shown_keys:
        bare = unsigned({"alg": "HS256", "kid": "ec"}, claims())
        mac = base64.urlsafe_b64encode(hmac.digest(password, bare, hashlib.sha256)).rstrip(b"=")
        assert why_not(issuer(file), bare + b"." + mac) is Why.UNTRUSTED


def test_rsa_is_not_taken_though_the_issuer_has_such_a_key(file: Path) -> None:
    assert why_not(issuer(file), ISSUER.token("rsa")) is Why.UNTRUSTED


def test_one_key_does_not_vouch_for_another(file: Path) -> None:
    token = ISSUER.token("ec")
    _, body, signature = token.split(b".")
    header = base64.urlsafe_b64encode(orjson.dumps({"alg": "EdDSA", "kid": "ed"})).rstrip(b"=")
    assert why_not(issuer(file), b".".join((header, body, signature))) is Why.UNTRUSTED


def test_a_key_of_another_issuer_is_refused_under_any_id(file: Path) -> None:
    foreign = TestIssuer.with_keys()
    assert why_not(issuer(file), foreign.token("ec")) is Why.UNTRUSTED
    foreign.private["unknown"] = foreign.private["ec"]
    assert why_not(issuer(file), foreign.token("unknown")) is Why.UNTRUSTED


def test_a_key_that_a_token_brings_along_is_not_looked_at(file: Path) -> None:
    private = generate_private_key(SECP256R1())
    own = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
    for header in ({"kid": "ec", "jwk": own}, {"jwk": own}, {"kid": "mine", "jku": "http://x"}):
        token = jwt.encode(claims(), private, algorithm="ES256", headers=header).encode()
        assert why_not(issuer(file), token) is Why.UNTRUSTED


@pytest.mark.parametrize("at", range(0, 300, 13))
def test_a_token_with_one_letter_changed_is_refused(file: Path, at: int) -> None:
    token = ISSUER.token("ed")
    other = b"A" if token[at : at + 1] != b"A" else b"B"
    assert why_not(issuer(file), token[:at] + other + token[at + 1 :]) is Why.UNTRUSTED


@pytest.mark.parametrize(
    "nonsense",
    [b"", b".", b"..", b"a.b.c", b"\xff\xfe.\x00.x", b"x" * 9000, b"." * 8000,
     base64.urlsafe_b64encode(b"[" * 5000) + b".e30.AA",
     base64.urlsafe_b64encode(b'{"kid":1,"alg":"ES256"}') + b".e30.AA",
     base64.urlsafe_b64encode(b'{"kid":"ec"}') + b".e30.AA",
     base64.urlsafe_b64encode(b'{"kid":"ec","alg":["ES256"]}') + b".e30.AA"],
)  # fmt: skip
def test_nonsense_is_refused_and_breaks_nothing(file: Path, nonsense: bytes) -> None:
    assert why_not(issuer(file), nonsense) in (Why.UNTRUSTED, Why.MALFORMED)


def test_keys_come_from_an_address_and_follow_the_issuer_when_it_changes_them() -> None:
    changing, clock = TestIssuer.with_keys(), Clock(NOON)
    with shown(changing) as (address, asked):
        known = issuer(f"{address}/jwks", clock)
        ask(known, changing.token(jti="1"))
        changing.add("new", generate_private_key(SECP256R1()), ECAlgorithm, "ES256")
        assert why_not(known, changing.token("new")) is Why.UNTRUSTED  # asked a moment ago
        clock.at += REFRESH_SECONDS
        ask(known, changing.token("new"))
        assert asked == ["/jwks"] * 2


def test_a_thousand_unknown_keys_ask_the_issuer_once_a_minute() -> None:
    foreign, clock = TestIssuer.with_keys(), Clock(NOON)
    with shown(ISSUER) as (address, asked):
        known = issuer(f"{address}/jwks", clock)
        for minute in range(3):
            for number in range(50):
                foreign.private[f"k{number}"] = foreign.private["ec"]
                assert why_not(known, foreign.token(f"k{number}")) is Why.UNTRUSTED
            assert len(asked) == minute + 1
            clock.at += REFRESH_SECONDS


def test_a_key_that_the_issuer_has_withdrawn_is_forgotten() -> None:
    changing, clock = TestIssuer.with_keys(), Clock(NOON)
    with shown(changing) as (address, _):
        known, token = issuer(f"{address}/jwks", clock), changing.token(jti="late")
        ask(known, changing.token())
        del changing.public["ec"]
        clock.at += STALE_SECONDS
        assert why_not(known, token) is Why.UNTRUSTED


def test_many_tokens_at_once_fetch_the_keys_once() -> None:
    async def crowd(known: Issuer) -> None:
        await asyncio.gather(*(known.caller(ISSUER.token(jti=str(n))) for n in range(20)))

    with shown(ISSUER) as (address, asked):
        asyncio.run(crowd(issuer(f"{address}/jwks")))
    assert len(asked) == 1


def test_a_redirect_of_the_issuer_is_not_followed() -> None:
    with shown(ISSUER) as (address, asked):
        with pytest.raises(RefusedError, match="cannot be had"):
            ask(issuer(f"{address}/moved"), ISSUER.token())
        assert asked == ["/moved"]


@pytest.mark.parametrize("shown_keys", [b"", b"[]", b"{", b'{"keys": 7}', b'{"keys": [7, {}]}'])
def test_without_keys_nobody_gets_in(tmp_path: Path, shown_keys: bytes) -> None:
    (tmp_path / "jwks.json").write_bytes(shown_keys)
    with pytest.raises(RefusedError) as refused:
        ask(issuer(tmp_path / "jwks.json"), ISSUER.token())
    assert refused.value.problem.code == "access_unavailable"
    clock = Clock(NOON)
    known = issuer(tmp_path / "absent.json", clock)
    with pytest.raises(RefusedError):
        ask(known, ISSUER.token())
    (tmp_path / "absent.json").write_bytes(ISSUER.jwks)
    clock.at += RETRY_SECONDS
    ask(known, ISSUER.token())


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        ("jwks.json", True),
        ("https://id.example/jwks", True),
        ("http://127.0.0.1:8080/jwks", True),
        ("http://localhost/jwks", True),
        ("http://[::1]/jwks", True),
        ("http://id.example/jwks", False),
        ("http://127.0.0.1.evil.example/jwks", False),
        ("http://localhost@evil.example/jwks", False),
        ("ftp://id.example/jwks", False),
        ("file:///etc/passwd", False),
        ("https://", False),
        ("http://[::1", False),
    ],
)
def test_keys_are_read_from_files_and_addresses_that_nobody_can_change_on_the_way(
    text: str, sound: bool
) -> None:
    assert is_source(text) is sound


@pytest.mark.parametrize("meant", [{"use": "enc"}, {"alg": "ECDH-ES"}, {"alg": "ES512"}])
def test_a_key_that_is_meant_for_something_else_vouches_for_nothing(
    tmp_path: Path, meant: dict[str, str]
) -> None:
    shown_keys = {"keys": [ISSUER.public["ec"] | meant, ISSUER.public["ed"]]}
    (tmp_path / "jwks.json").write_bytes(orjson.dumps(shown_keys))
    assert why_not(issuer(tmp_path / "jwks.json"), ISSUER.token("ec")) is Why.UNTRUSTED
