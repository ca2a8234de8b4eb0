"""Outsiders on this machine: a time-stamping authority that signs, and a chain behind HTTP."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.loopback import listening

CONFIG = """
[tsa]
default_tsa = own
[own]
serial = {folder}/serial
signer_cert = {folder}/signer.pem
signer_key = {folder}/signer.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
"""


def certificates(folder: Path) -> None:
    """Write a root and a signer of time stamps under it."""
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    now = datetime.now(UTC)

    def named(name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    def issued(name: str, public: Any) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(named(name)).issuer_name(named("root"))
        builder = builder.public_key(public).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1))
        return builder.not_valid_after(now + timedelta(days=9))

    root = issued("root", root_key.public_key()).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    root = root.add_extension(
        x509.SubjectKeyIdentifier.from_public_key(root_key.public_key()), critical=False
    )
    stamps = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    signer = issued("signer", key.public_key()).add_extension(stamps, critical=True)
    signer = signer.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False
    )
    pem = serialization.Encoding.PEM
    for name, builder in (("root", root), ("signer", signer)):
        made = builder.sign(root_key, hashes.SHA256())
        (folder / f"{name}.pem").write_bytes(made.public_bytes(pem))
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "signer.key").write_bytes(secret)


@contextmanager
def served(answer: Any) -> Iterator[str]:
    """Answer each POST by a function from its body to bytes; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            reply = answer(self.path, body)
            self.send_response(200)
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

    with listening(Handler) as url:
        yield url


@contextmanager
def time_stamping(folder: Path) -> Iterator[str]:
    """Run an authority: OpenSSL signs, as its manual page ts(1) shows."""
    certificates(folder)
    (folder / "config").write_text(CONFIG.format(folder=folder))
    (folder / "serial").write_text("01\n")

    def stamp(path: str, body: bytes) -> bytes:
        (folder / "query").write_bytes(body)
        command = ["openssl", "ts", "-reply", "-config", "config", "-queryfile", "query"]
        done = subprocess.run(
            [*command, "-out", "reply"], cwd=folder, check=True, capture_output=True
        )
        assert done.returncode == 0
        return (folder / "reply").read_bytes()

    with served(stamp) as url:
        yield url


class Contract:
    """The contract of docs/ledger.md, behind the two requests of WeBASE-Front."""

    def __init__(self) -> None:
        self.roots: dict[tuple[str, int], str] = {}
        self.forgets = False

    def __call__(self, path: str, body: bytes) -> bytes:
        asked = json.loads(body)
        assert path == "/WeBASE-Front/trans/handle"
        assert {one["name"] for one in asked["contractAbi"]} == {"put", "get"}
        if asked["funcName"] == "get":
            origin, size = asked["funcParam"]
            return json.dumps([self.roots.get((origin, size), "0x" + "0" * 64)]).encode()
        origin, size, root = asked["funcParam"]
        if any(own == origin and size <= older for own, older in self.roots):
            return json.dumps({"status": "0x16", "message": "the size must grow"}).encode()
        if not self.forgets:
            self.roots[origin, size] = root
        block = {"status": "0x0", "blockNumber": str(len(self.roots)), "transactionHash": "0xab"}
        return json.dumps(block).encode()
