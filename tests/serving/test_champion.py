"""No model serves without the word of a trusted key; the registry is not asked here."""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from models import artifact, keys, statement
from models.copies import Pointer
from models.keys import SIGNING, TRUSTED, SigningKey
from pricing.errors import ModelError
from serving.champion import champion
from serving.settings import Settings
from tests.serving.small_model import said


@pytest.fixture
def home(var: Path, tmp_path: Path) -> Path:
    """Return a copy of a folder that serves."""
    shutil.copytree(var / "models", tmp_path / "models")
    shutil.copytree(var / "keys", tmp_path / "keys")
    return tmp_path


def settings(home: Path, **more: str) -> Settings:
    return Settings.read({"SEEDRATE_VAR": str(home), "SEEDRATE_TRACKING_URI": "off", **more})


def pointer(home: Path) -> Pointer:
    found = Pointer.read(home / "models")
    assert found is not None
    return found


def refused(home: Path, caplog: pytest.LogCaptureFixture, **more: str) -> str:
    """Return why no model serves."""
    with caplog.at_level(logging.ERROR), pytest.raises(ModelError, match="no model can be served"):
        champion(settings(home, **more))
    return caplog.text


def test_a_signed_model_serves(home: Path) -> None:
    assert champion(settings(home)).digest == pointer(home).digest


def test_a_model_without_a_signature_does_not_serve(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    replace(pointer(home), signed="").write(home / "models")
    assert "a version must be signed" in refused(home, caplog)


def test_a_pointer_from_before_signatures_does_not_serve(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = home / "models" / "champion.json"
    kept = json.loads(file.read_text())
    del kept["signed"]
    file.write_text(json.dumps(kept))
    refused(home, caplog)


def test_a_foreign_signature_does_not_serve(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    eve = keys.create(home / "eve", "eve")
    digest = pointer(home).digest
    replace(pointer(home), signed=statement.sign(said(digest), eve)).write(home / "models")
    assert "a version must be signed by a trusted key" in refused(home, caplog)


def test_a_key_that_is_trusted_no_more_takes_its_models_along(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (home / "keys" / TRUSTED).write_text("# nobody\n")
    assert "signed by a trusted key (none)" in refused(home, caplog)


def test_without_a_file_of_keys_nothing_serves(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (home / "keys" / TRUSTED).unlink()
    with pytest.raises(ModelError, match="SEEDRATE_TRUSTED_KEYS must be a file of public keys"):
        champion(settings(home))


def test_the_signature_of_another_model_does_not_serve(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = SigningKey.read(home / "keys" / SIGNING)
    replace(pointer(home), signed=statement.sign(said("0" * 64), key)).write(home / "models")
    assert "the signed digest must be" in refused(home, caplog)


def test_a_challenger_is_no_champion(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    key, digest = SigningKey.read(home / "keys" / SIGNING), pointer(home).digest
    shadow = statement.sign(said(digest, alias="challenger"), key)
    replace(pointer(home), signed=shadow).write(home / "models")
    replace(pointer(home), signed=shadow).write(home / "models", "challenger")
    assert "the signed alias must be champion, however: challenger" in refused(home, caplog)
    assert champion(settings(home, SEEDRATE_ALIAS="challenger")).digest == digest


def test_nothing_of_an_unsigned_model_is_read(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Neither file is there to be read, and it is the signature that is missed."""
    found = replace(pointer(home), signed="")
    found.write(home / "models")
    shutil.rmtree(home / "models" / found.digest)
    assert "gone" not in refused(home, caplog)


def test_a_signed_model_with_an_altered_file_does_not_serve(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (home / "models" / pointer(home).digest / "card.json").write_text("{}")
    assert "gone or altered" in refused(home, caplog)


def test_an_edited_model_that_is_sealed_again_needs_a_new_signature(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = pointer(home)
    folder = home / "models" / found.digest
    (folder / "card.json").write_text((folder / "card.json").read_text() + " ")
    digest = artifact.seal(folder)
    folder.rename(home / "models" / digest)
    replace(found, digest=digest).write(home / "models")
    assert "the signed digest must be" in refused(home, caplog)
