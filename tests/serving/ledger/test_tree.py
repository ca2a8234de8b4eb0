from __future__ import annotations

import importlib
import random
from hashlib import sha256

import pytest

from serving.ledger import tree
from serving.ledger.tiles import Tile, Tiles
from serving.ledger.tree import Edge, ProofError, leaf_hash
from tests.serving.ledger import oracle
from tests.serving.ledger.memory import Memory

MOST = 130
ENTRIES = [b"entry %d" % i for i in range(MOST)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
TREE = Tiles(Memory(LEAVES))
ROOTS = [oracle.mth(ENTRIES[:size]) for size in range(MOST + 1)]


def flipped(hash_: bytes, dice: random.Random) -> bytes:
    bit = dice.randrange(256)
    return (int.from_bytes(hash_, "big") ^ 1 << bit).to_bytes(32, "big")


# The entries and roots that Certificate Transparency's implementations test themselves with
# (certificate-transparency, python/ct/crypto/merkle_test.py: raw_hex of the first 1 to 8 leaves).
VECTORS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657",
           "606162636465666768696a6b6c6d6e6f"]  # fmt: skip
KNOWN = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    4: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    6: "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


@pytest.mark.parametrize("size", KNOWN)
def test_roots_are_those_that_certificate_transparency_publishes(size: int) -> None:
    edge = Edge()
    for entry in VECTORS[:size]:
        edge.add(leaf_hash(bytes.fromhex(entry)))
    assert edge.root().hex() == KNOWN[size]


def test_the_edge_grows_to_the_root_of_every_size() -> None:
    edge = Edge()
    for size, leaf in enumerate(LEAVES):
        assert edge.root() == ROOTS[size] == tree.root(TREE, size)
        assert Edge.unpacked(size, edge.packed()) == edge == tree.edge(TREE, size)
        edge.add(leaf)


def test_an_edge_of_another_size_is_refused() -> None:
    with pytest.raises(ProofError):
        Edge.unpacked(3, bytes(32))


def test_every_proof_of_inclusion_is_the_rfcs_and_holds_and_no_forged_one_does() -> None:
    dice = random.Random(1)
    for size in range(1, MOST + 1):
        for index in range(size):
            path = tree.inclusion(TREE, index, size)
            assert tree.root_by_inclusion(LEAVES[index], index, size, path) == ROOTS[size]
            if size <= 40:
                assert path == oracle.path(index, ENTRIES[:size])
            for forged in forgeries(path, dice):
                assert not leads_to(ROOTS[size], LEAVES[index], index, size, forged)
            other = (index + 1 + dice.randrange(size)) % (size + 1)
            assert other == index or not leads_to(ROOTS[size], LEAVES[index], other, size, path)


def forgeries(path: list[bytes], dice: random.Random) -> list[list[bytes]]:
    """A bit changed, a hash less, a hash more."""
    if not path:
        return [[bytes(32)]]
    at = dice.randrange(len(path))
    return [
        [*path[:at], flipped(path[at], dice), *path[at + 1 :]],
        path[:-1],
        [*path, bytes(32)],
    ]


def leads_to(root: bytes, leaf: bytes, index: int, size: int, path: list[bytes]) -> bool:
    try:
        return tree.root_by_inclusion(leaf, index, size, path) == root
    except ProofError:
        return False


def test_every_proof_of_consistency_is_the_rfcs_and_holds_and_no_forged_one_does() -> None:
    dice = random.Random(2)
    for size in range(1, MOST + 1):
        for old in range(1, size + 1):
            path = tree.consistency(TREE, old, size)
            tree.check_consistency(old, ROOTS[old], size, ROOTS[size], path)
            if size <= 40:
                assert path == oracle.proof(old, ENTRIES[:size])
            forged = [(ROOTS[old], ROOTS[size], one) for one in forgeries(path, dice)]
            forged += [(flipped(ROOTS[old], dice), ROOTS[size], path)]
            forged += [(ROOTS[old], flipped(ROOTS[size], dice), path)]
            for old_root, new_root, steps in forged:
                with pytest.raises(ProofError):
                    tree.check_consistency(old, old_root, size, new_root, steps)


def test_an_empty_log_begins_every_log() -> None:
    assert tree.consistency(TREE, 0, 9) == []
    tree.check_consistency(0, tree.EMPTY, 9, ROOTS[9], [])
    with pytest.raises(ProofError):
        tree.check_consistency(0, ROOTS[1], 9, ROOTS[9], [])


@pytest.mark.parametrize(("index", "size"), [(-1, 5), (5, 5), (0, 0)])
def test_nothing_is_proved_of_what_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ProofError):
        tree.inclusion(TREE, index, size)
    with pytest.raises(ProofError):
        tree.root_by_inclusion(LEAVES[0], index, size, [])


def test_the_order_of_two_sizes_matters() -> None:
    with pytest.raises(ProofError):
        tree.consistency(TREE, 6, 5)
    with pytest.raises(ProofError):
        tree.check_consistency(6, ROOTS[6], 5, ROOTS[5], [])


@pytest.mark.parametrize("size", [255, 256, 257, 65_535, 65_536, 65_537, 70_000])
def test_a_tree_of_several_levels_of_tiles_proves_the_same(size: int) -> None:
    leaves = [leaf_hash(i.to_bytes(4, "big")) for i in range(size)]
    edge = Edge()
    for leaf in leaves:
        edge.add(leaf)
    kept, bare = Tiles(Memory(leaves)), Tiles(Memory(leaves, stored=False))
    assert tree.root(kept, size) == tree.root(bare, size) == edge.root()
    dice = random.Random(size)
    for index in (0, size - 1, dice.randrange(size)):
        path = tree.inclusion(kept, index, size)
        assert tree.root_by_inclusion(leaves[index], index, size, path) == edge.root()
    old = dice.randrange(1, size)
    older = tree.root(kept, old)
    tree.check_consistency(old, older, size, edge.root(), tree.consistency(kept, old, size))


def test_a_leaf_that_is_missing_is_noticed() -> None:
    with pytest.raises(ProofError, match="must have"):
        tree.root(TREE, MOST + 1)


# C2SP tlog-tiles: paths of tiles, whole and partial.
@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 1234067), "tile/0/x001/x234/067"),
        (Tile(63, 999), "tile/63/999"),
        (Tile(2, 273, 112), "tile/2/273.p/112"),
    ],
)
def test_tiles_have_the_paths_of_c2sp(tile: Tile, path: str) -> None:
    assert tile.path == path
    _, level, index = path.split("/", 2)
    assert Tile.parse(level, index) == tile


@pytest.mark.parametrize(
    ("level", "index"),
    [("64", "000"), ("0", "x000/000"), ("0", "1"), ("0", "000.p/0"), ("0", "000.p/256"),
     ("0", "000.p/300"), ("00", "000"), ("0", "../000"), ("0", "001/000")],
)  # fmt: skip
def test_no_other_path_names_a_tile(level: str, index: str) -> None:
    assert Tile.parse(level, index) is None


def test_a_tile_is_there_once_its_hashes_are() -> None:
    assert Tile(0, 0, 130).within(130)
    assert not Tile(0, 0, 131).within(130)
    assert Tile(1, 0, 1).within(256)
    assert not Tile(1, 0, 1).within(255)


def test_pymerkle_finds_the_same_roots_and_proofs() -> None:
    """Where it is installed: its licence (GPL) and pins keep it out of the lock."""
    pytest.importorskip("pymerkle", reason="pymerkle is not installed; the RFC's oracle is above")
    theirs = importlib.import_module("pymerkle").InmemoryTree(algorithm="sha256")
    for size, entry in enumerate(ENTRIES, 1):
        theirs.append_entry(entry)
        assert theirs.get_root(size) == ROOTS[size] == tree.root(TREE, size)


def test_the_oracle_can_tell_trees_apart() -> None:
    assert oracle.mth(ENTRIES[:3]) != oracle.mth([ENTRIES[0], ENTRIES[2], ENTRIES[1]])
    assert oracle.mth([ENTRIES[0]]) != sha256(ENTRIES[0]).digest()
