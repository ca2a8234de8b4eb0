from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from models import keys
from models.keys import SIGNING, TRUSTED, SigningKey
from pricing.errors import InputError

# Made with OpenSSH 9.2: ssh-keygen -t ed25519, and its fingerprint as ssh-keygen -l printed it.
LINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKczaTR130m3rhNGE2QyigQ1L+FIrjtE8P6Eu1Ck4m8T ann"
FINGERPRINT = "SHA256:pNE79qHZxZWXM006E9CpoO/5Ors4t9X7q+FmNpd32FA"


def test_a_pair_is_made_for_its_owner_alone_and_is_trusted(tmp_path: Path) -> None:
    made = keys.create(tmp_path / "keys", "ann")
    private = tmp_path / "keys" / SIGNING
    assert private.stat().st_mode & 0o777 == 0o600
    assert private.parent.stat().st_mode & 0o777 == 0o700
    assert SigningKey.read(private).fingerprint == made.fingerprint
    assert list(keys.trusted(private.parent / TRUSTED)) == [made.fingerprint]
    assert sorted(path.name for path in private.parent.iterdir()) == [SIGNING, TRUSTED]


def test_a_second_pair_never_takes_the_place_of_the_first(tmp_path: Path) -> None:
    first = keys.create(tmp_path, "ann")
    with pytest.raises(InputError, match="keys must be made once"):
        keys.create(tmp_path, "bob")
    assert SigningKey.read(tmp_path / SIGNING).fingerprint == first.fingerprint
    assert list(keys.trusted(tmp_path / TRUSTED)) == [first.fingerprint]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620])
def test_a_private_key_that_others_reach_is_refused(tmp_path: Path, mode: int) -> None:
    keys.create(tmp_path, "ann")
    (tmp_path / SIGNING).chmod(mode)
    with pytest.raises(InputError, match=rf"chmod 600.*with mode {mode:o}"):
        SigningKey.read(tmp_path / SIGNING)


def test_a_private_key_is_never_shown(tmp_path: Path) -> None:
    made = keys.create(tmp_path, "ann")
    lines = (tmp_path / SIGNING).read_text().splitlines()
    secret = made.private.private_bytes_raw()
    shown = f"{made!r} {made} {made.line}"
    assert not any(line in shown for line in lines)
    assert secret.hex() not in shown
    assert base64.b64encode(secret).decode() not in shown


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    private = generate_private_key(65537, 2048)
    file = tmp_path / SIGNING
    file.touch(mode=0o600)
    file.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    with pytest.raises(InputError, match="an Ed25519 key"):
        SigningKey.read(file)
    file.write_text("nothing of the kind")
    with pytest.raises(InputError, match="an Ed25519 key"):
        SigningKey.read(file)
    with pytest.raises(InputError, match="training keys"):
        SigningKey.read(tmp_path / "absent")


def test_openssh_calls_a_key_by_the_same_name(tmp_path: Path) -> None:
    (tmp_path / TRUSTED).write_text(f"# ours\n\n{LINE}\n")
    assert list(keys.trusted(tmp_path / TRUSTED)) == [FINGERPRINT]


def test_every_line_that_is_no_key_is_named(tmp_path: Path) -> None:
    (tmp_path / TRUSTED).write_text(f"{LINE}\nssh-rsa AAAA bob\n\nnonsense\n")
    with pytest.raises(InputError) as error:
        keys.trusted(tmp_path / TRUSTED)
    assert [fault.field[-6:] for fault in error.value.faults] == ["line 2", "line 4"]
    with pytest.raises(InputError, match="a file of public keys"):
        keys.trusted(tmp_path / "absent")


def test_a_signature_is_the_one_of_the_standard() -> None:
    # RFC 8032, section 7.1, test 2
    seed = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
    key = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed)), "")
    assert key.sign(b"\x72").hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
