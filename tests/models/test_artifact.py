from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from features.sets import load
from models.artifact import MANIFEST, read, seal, verify
from pricing.errors import ModelError


@pytest.fixture
def copy(model_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model_folder, tmp_path / "model"))


def test_a_model_reads_back_what_was_written(model_folder: Path) -> None:
    model = read(model_folder)
    assert model.digest == verify(model_folder)
    assert model.column_set == load("early_stage")
    assert model.name == model.card["name"]
    assert model.base.shape == (3, len(model.edges) - 1)
    assert np.isfinite(model.base).all()


def test_a_model_is_bound_to_its_digest(model_folder: Path) -> None:
    with pytest.raises(ModelError, match="must be 00, however"):
        read(model_folder, "00")


@pytest.mark.parametrize(
    "name", ["default-0.txt", "card.json", "columns.toml", "encoder.json", "background.npy"]
)
def test_one_changed_byte_is_refused_before_it_is_parsed(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(ModelError, match=f"{name} must have SHA-256"):
        read(copy)


def test_a_file_that_is_not_listed_is_refused(copy: Path) -> None:
    (copy / "sitecustomize.py").write_text("")
    with pytest.raises(ModelError, match=r"sitecustomize\.py"):
        verify(copy)


def test_a_missing_file_is_refused(copy: Path) -> None:
    (copy / "lgd-0.txt").unlink()
    with pytest.raises(ModelError, match=r"lgd-0\.txt"):
        verify(copy)


def test_a_manifest_that_names_a_file_elsewhere_is_refused(copy: Path) -> None:
    manifest = json.loads((copy / MANIFEST).read_text())
    manifest["files"]["../card.json"] = manifest["files"].pop("card.json")
    (copy / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match=r"\.\./card\.json"):
        verify(copy)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"files": 3}', "not json"])
def test_a_manifest_that_is_none_is_refused(copy: Path, text: str) -> None:
    (copy / MANIFEST).write_text(text)
    with pytest.raises(ModelError, match=r"manifest\.json must be"):
        verify(copy)


def test_a_folder_in_the_place_of_a_file_is_refused(copy: Path) -> None:
    (copy / "card.json").unlink()
    (copy / "card.json").mkdir()
    with pytest.raises(ModelError, match=r"card\.json"):
        verify(copy)


def test_a_folder_without_a_manifest_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"manifest\.json"):
        read(tmp_path)


def test_a_resealed_model_has_another_digest(copy: Path) -> None:
    before = verify(copy)
    (copy / "note.txt").write_text("checked by two")
    assert seal(copy) != before
    assert read(copy).card["name"] == "seedrate"


def test_nothing_in_a_model_is_a_pickle(model_folder: Path) -> None:
    for file in model_folder.iterdir():
        assert file.suffix in {".json", ".toml", ".txt", ".npy"}
        if file.suffix == ".npy":
            np.load(file, allow_pickle=False)
