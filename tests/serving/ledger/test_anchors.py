from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from serving.ledger.anchors import AnchorError, Anchors, Evidence
from serving.ledger.chain import Chain
from serving.ledger.entry import Kept
from serving.ledger.note import Checkpoint
from serving.ledger.receipt import receipt
from serving.ledger.tiles import Tiles
from serving.ledger.timestamp import Timestamp
from serving.ledger.tree import EMPTY, ProofError, leaf_hash
from tests.conftest import ROOT
from tests.serving.fakes import SIGNER
from tests.serving.ledger import authority
from tests.serving.ledger.memory import Memory

CHECKPOINT = ("localhost/seedrate", 7, EMPTY)
OTHERS = [("localhost/other", 7, EMPTY), ("localhost/seedrate", 8, EMPTY),
          ("localhost/seedrate", 7, bytes(32))]  # fmt: skip
needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl, which signs the time stamps, is not installed"
)


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Timestamp, Path]]:
    folder = tmp_path_factory.mktemp("tsa")
    with authority.time_stamping(folder) as url:
        yield Timestamp.at(url, folder / "root.pem"), folder


@needs_openssl
def test_an_authority_stamps_a_checkpoint(tsa: tuple[Timestamp, Path]) -> None:
    token = tsa[0].publish(*CHECKPOINT)
    assert "existed by 20" in tsa[0].verify(*CHECKPOINT, token)
    for other in OTHERS:
        with pytest.raises(ProofError):
            tsa[0].verify(*other, token)


@needs_openssl
def test_openssl_verifies_the_same_token(tsa: tuple[Timestamp, Path]) -> None:
    anchor, folder = tsa
    (folder / "token").write_bytes(anchor.publish(*CHECKPOINT))
    (folder / "data").write_text(Checkpoint(*CHECKPOINT).text)
    command = ["openssl", "ts", "-verify", "-data", "data", "-in", "token", "-CAfile", "root.pem"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert "Verification: OK" in done.stdout + done.stderr


@needs_openssl
def test_a_stamp_of_an_authority_we_do_not_know_is_refused(
    tsa: tuple[Timestamp, Path], tmp_path: Path
) -> None:
    authority.certificates(tmp_path)
    stranger = Timestamp.at(tsa[0].url, tmp_path / "root.pem")
    with pytest.raises(AnchorError):
        stranger.publish(*CHECKPOINT)


@needs_openssl
@pytest.mark.parametrize("at", [40, -200, -1])
def test_a_stamp_that_was_altered_is_refused(tsa: tuple[Timestamp, Path], at: int) -> None:
    token = bytearray(tsa[0].publish(*CHECKPOINT))
    token[at] ^= 1
    with pytest.raises(ProofError):
        tsa[0].verify(*CHECKPOINT, bytes(token))


def test_an_authority_that_answers_anything_else_is_refused(
    tmp_path: Path,
) -> None:
    authority.certificates(tmp_path)
    with authority.served(lambda path, body: b"no token") as url:
        with pytest.raises(AnchorError):
            Timestamp.at(url, tmp_path / "root.pem").publish(*CHECKPOINT)
    with pytest.raises(AnchorError, match="refused"):
        Timestamp.at(url, tmp_path / "root.pem").publish(*CHECKPOINT)


def test_a_chain_holds_a_checkpoint_and_refuses_a_smaller_one() -> None:
    contract = authority.Contract()
    with authority.served(contract) as url:
        chain = Chain(url, "0xc0", "0xa0")
        evidence = chain.publish(*CHECKPOINT)
        assert chain.verify(*CHECKPOINT, evidence) == "stands in contract 0xc0, block 1"
        for other in OTHERS:
            with pytest.raises(ProofError):
                chain.verify(*other, evidence)
        with pytest.raises(AnchorError, match="must accept"):
            chain.publish("localhost/seedrate", 6, EMPTY)
        with pytest.raises(ProofError, match="must be of"):
            Chain(url, "0xc1", "0xa0").verify(*CHECKPOINT, evidence)


def test_a_chain_is_not_taken_at_its_word() -> None:
    contract = authority.Contract()
    contract.forgets = True
    with authority.served(contract) as url, pytest.raises(AnchorError, match="must hold the root"):
        Chain(url, "0xc0", "0xa0").publish(*CHECKPOINT)


@pytest.mark.parametrize("answer", [b"", b"[", b"[]", b'"x"', b"null", b"{}"])
def test_a_chain_that_answers_anything_else_is_refused(answer: bytes) -> None:
    with authority.served(lambda path, body: answer) as url, pytest.raises(AnchorError):
        Chain(url, "0xc0", "0xa0").publish(*CHECKPOINT)


def test_the_newest_evidence_that_covers_an_entry_goes_with_its_receipt(tmp_path: Path) -> None:
    kept = Anchors(tmp_path / "anchors")
    assert kept.newest(1) == kept.all() == []
    made = [
        Evidence(kind, SIGNER.sign(size, EMPTY), b"x", 5)
        for size, kind in ((5, "chain"), (12, "chain"), (12, "rfc3161"))
    ]
    for one in made:
        kept.keep(one)
    assert kept.all() == made
    assert kept.newest(12) == made[1:]
    assert kept.newest(13) == []


@pytest.mark.parametrize("text", ["", "{}", '{"kind":"x","note":"","data":"","published_us":1}'])
def test_evidence_that_was_altered_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / f"{5:020}.chain.json").write_text(text)
    with pytest.raises(ProofError):
        Anchors(tmp_path).all()


@needs_openssl
def test_the_verifier_of_receipts_reads_the_time_stamp(
    tsa: tuple[Timestamp, Path], tmp_path: Path
) -> None:
    anchor, folder = tsa
    leaf = leaf_hash(b'{"id":"q","kind":"quote"}')
    token = anchor.publish(SIGNER.origin, 1, leaf)
    note = SIGNER.sign(1, leaf)

    def verified(token: bytes, roots: Path, *, with_anchor: bool = True) -> tuple[int, str]:
        anchors = [Evidence(anchor.kind, note, token, 1)] if with_anchor else []
        kept = Kept(0, "q", b"", b'{"id":"q","kind":"quote"}', None)
        made = orjson.dumps(receipt(kept, Tiles(Memory([leaf])), note, anchors))
        (tmp_path / "receipt.json").write_bytes(made)
        command: list[str | Path] = [sys.executable, ROOT / "deploy/verify_receipt.py"]
        command += [tmp_path / "receipt.json", "--key", SIGNER.verifier.line, "--tsa", roots]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.stderr == ""
        return done.returncode, done.stdout

    roots = folder / "root.pem"
    code, said = verified(token, roots)
    assert (code, "rfc3161: existed by" in said) == (0, True), said
    assert str(datetime.now(UTC).year) in said
    assert verified(token[:-1] + bytes([token[-1] ^ 1]), roots)[0] == 1
    assert verified(anchor.publish(SIGNER.origin, 2, leaf), roots)[0] == 1
    (tmp_path / "others").mkdir()
    authority.certificates(tmp_path / "others")
    assert verified(token, tmp_path / "others/root.pem")[0] == 1
    assert verified(token, tmp_path / "nowhere.pem")[0] == 2
    assert verified(token, roots, with_anchor=False)[0] == 2
