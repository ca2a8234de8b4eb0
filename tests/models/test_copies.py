"""Local copies: only what is verified gets a name, and a damaged one never has it for long."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from models import artifact, copies
from models.copies import Pointer
from pricing.errors import ModelError
from tests.conftest import ROOT


def arrived(folder: Path, text: str = "tree") -> tuple[Path, str]:
    """Return a folder that has arrived with one file, and its digest."""
    folder.mkdir(parents=True)
    (folder / "default-0.txt").write_text(text)
    return folder, artifact.seal(folder)


def test_what_is_verified_gets_its_digest_as_a_name(tmp_path: Path) -> None:
    folder, digest = arrived(tmp_path / "arrived")
    placed = copies.place(folder, tmp_path, digest)
    assert placed == tmp_path / digest == copies.find(tmp_path, digest)
    assert not folder.exists()


def test_what_is_not_the_model_of_its_digest_moves_nowhere(tmp_path: Path) -> None:
    folder, digest = arrived(tmp_path / "arrived")
    (folder / "default-0.txt").write_text("tree, altered")
    with pytest.raises(ModelError, match=r"default-0\.txt must have SHA-256"):
        copies.place(folder, tmp_path, digest)
    assert copies.find(tmp_path, digest) is None


@pytest.mark.parametrize("manifest", ["not JSON", "[]", "{}", '{"files": 1}'])
def test_a_manifest_that_is_none_is_a_model_error(tmp_path: Path, manifest: str) -> None:
    folder, _ = arrived(tmp_path / "arrived")
    (folder / artifact.MANIFEST).write_text(manifest)
    digest = hashlib.sha256(manifest.encode()).hexdigest()
    with pytest.raises(ModelError):
        copies.place(folder, tmp_path, digest)


def test_a_folder_where_a_file_should_be_is_a_model_error(tmp_path: Path) -> None:
    folder, digest = arrived(tmp_path / "arrived")
    (folder / "default-0.txt").unlink()
    (folder / "default-0.txt").mkdir()
    with pytest.raises(ModelError):
        copies.place(folder, tmp_path, digest)


def test_the_second_of_two_that_fetch_the_same_model_uses_the_first_one_s(tmp_path: Path) -> None:
    first, digest = arrived(tmp_path / "first")
    second, same = arrived(tmp_path / "second")
    assert digest == same
    assert copies.place(first, tmp_path, digest) == copies.place(second, tmp_path, digest)


def test_a_damaged_copy_is_replaced_by_a_sound_one(tmp_path: Path) -> None:
    first, digest = arrived(tmp_path / "first")
    copies.place(first, tmp_path, digest)
    (tmp_path / digest / "default-0.txt").write_text("altered")
    second, _ = arrived(tmp_path / "second")
    copies.place(second, tmp_path, digest)
    assert copies.find(tmp_path, digest) is not None


@pytest.mark.parametrize("digest", ["../../etc", "", "A" * 64, "0" * 63])
def test_a_digest_that_could_name_another_folder_is_refused(tmp_path: Path, digest: str) -> None:
    with pytest.raises(ModelError, match="64 hexadecimal digits"):
        copies.find(tmp_path, digest)


def test_what_did_not_arrive_leaves_nothing_behind(tmp_path: Path) -> None:
    with copies.arriving(tmp_path) as folder:
        arrived(folder / "model")
        assert list(tmp_path.iterdir()) == [folder]
    assert list(tmp_path.iterdir()) == []


def test_a_pointer_comes_back_and_a_spoilt_one_does_not(tmp_path: Path) -> None:
    pointer = Pointer("0" * 64, "seedrate", "3", "{}")
    pointer.write(tmp_path)
    assert Pointer.read(tmp_path) == pointer
    (tmp_path / "champion.json").write_text(
        '{"digest": "../x", "name": "a", "version": "1", "signed": ""}'
    )
    assert Pointer.read(tmp_path) is None
    (tmp_path / "champion.json").write_text("{")
    assert Pointer.read(tmp_path) is None


def shelf(into: Path, count: int) -> list[str]:
    """Place so many copies, a second apart, the oldest first; return their digests."""
    digests = []
    for number in range(count):
        folder, digest = arrived(into / "arrived", f"tree {number}")
        os.utime(copies.place(folder, into, digest), (1e9 + number, 1e9 + number))
        digests.append(digest)
    return digests


def names(into: Path) -> set[str]:
    return {path.name for path in into.iterdir() if path.is_dir()}


def test_the_oldest_copies_go_and_what_somebody_points_to_stays(tmp_path: Path) -> None:
    digests = shelf(tmp_path, 6)
    Pointer(digests[0], "seedrate", "1", "{}").write(tmp_path)
    Pointer(digests[1], "seedrate", "2", "{}").write(tmp_path, "challenger")
    assert copies.tidy(tmp_path, 6) == []
    assert copies.tidy(tmp_path, 2) == [digests[3], digests[2]]
    assert names(tmp_path) == {digests[0], digests[1], digests[4], digests[5]}
    assert copies.tidy(tmp_path / "absent", 2) == []


def test_a_copy_that_is_held_stays_and_counts_as_the_last_that_served(tmp_path: Path) -> None:
    digests = shelf(tmp_path, 4)
    hold = copies.Hold()
    hold.move(tmp_path / digests[0])
    assert copies.kept(tmp_path)[0].name == digests[0]
    os.utime(tmp_path / digests[0], (1e9, 1e9))  # long ago
    assert copies.tidy(tmp_path, 1) == [digests[2], digests[1]]
    hold.move(tmp_path / digests[3])
    os.utime(tmp_path / digests[0], (1e9, 1e9))
    assert copies.tidy(tmp_path, 1) == [digests[0]]
    hold.close()


HOLDS = """
import sys, time
from pathlib import Path
from models.copies import Hold
hold = Hold()
hold.move(Path(sys.argv[1]))
print("holds", flush=True)
time.sleep(600)
"""


def test_what_another_process_serves_stays_until_it_ends(tmp_path: Path) -> None:
    digests = shelf(tmp_path, 3)
    command = [sys.executable, "-c", HOLDS, str(tmp_path / digests[0])]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "holds\n"
        os.utime(tmp_path / digests[0], (1e9, 1e9))
        assert copies.tidy(tmp_path, 1) == [digests[1]]
        other.kill()
    assert copies.tidy(tmp_path, 1) == [digests[0]]


def test_what_a_dead_process_left_goes_after_a_day_and_not_before(tmp_path: Path) -> None:
    old, new = tmp_path / ".arriving-1-a", tmp_path / ".arriving-2-b"
    for folder in (old, new):
        folder.mkdir()
    os.utime(old, (time.time() - 90_000, time.time() - 90_000))
    copies.tidy(tmp_path, 1)
    assert names(tmp_path) == {new.name}
