"""Read a whole log and say what is not as it was recorded: every row, tile and checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from serving.ledger.commitment import commit
from serving.ledger.entry import ERASURE, KEY, LEDGER, QUOTE, Private
from serving.ledger.listing import FACTS, Facts
from serving.ledger.note import Checkpoint, Verifier
from serving.ledger.reading import Reader
from serving.ledger.tiles import WIDTH, folded
from serving.ledger.tree import Edge, ProofError, leaf_hash

MOST_FAULTS = 100


@dataclass
class Audit:
    """What was found; `size` and `root` are those of the log as it was read."""

    size: int = 0
    root: bytes = b""
    erased: int = 0
    faults: list[str] = field(default_factory=list)


def audit(
    reader: Reader,
    trusted: Verifier | None = None,
    held: Mapping[str, str] | None = None,
    *,
    most: int = MOST_FAULTS,
) -> Audit:
    """Return what is wrong with a log.

    Args:
        reader: of the log.
        trusted: the key that signed its first checkpoints; None takes the first listed at its word.
        held: checkpoints, signed, that somebody keeps outside the database, by where.
        most: faults to name.
    """
    outside = {where: _parsed(note) for where, note in (held or {}).items()}
    walk = _Walk(reader, reader.checkpoints(), {one.size for one in outside.values() if one})
    found = Audit()
    for fault in _faults(walk, trusted, held or {}, outside):
        if len(found.faults) == most:
            found.faults.append("and more")
            break
        found.faults.append(fault)
    found.size, found.root, found.erased = walk.edge.size, walk.edge.root(), len(walk.missing)
    return found


def _parsed(note: str) -> Checkpoint | None:
    try:
        return Checkpoint.parse(note)
    except ProofError:
        return None


def _faults(
    walk: _Walk,
    trusted: Verifier | None,
    held: Mapping[str, str],
    outside: Mapping[str, Checkpoint | None],
) -> Iterator[str]:
    yield from walk.entries()
    yield from walk.tiles_left()
    yield from walk.head_left()
    for seq in sorted(walk.missing - walk.erased):
        yield f"private {seq}: must be there, as no entry says that it was erased"
    for seq in sorted(walk.there & walk.erased):
        yield f"private {seq}: must be gone, as an entry says that it was erased: erase it again"
    if strays := walk.reader.strays():
        yield f"private: {strays} rows belong to no entry"
    if strays := walk.reader.unlisted():
        yield f"quote_index: {strays} rows belong to no entry"
    yield from _signatures(walk, trusted)
    for where, checkpoint in outside.items():
        if checkpoint is None:
            yield f"{where}: must hold a checkpoint"
        elif checkpoint.size > walk.edge.size:
            yield f"the log must have at least {checkpoint.size} entries, as {where} says"
        elif walk.roots.get(checkpoint.size) != checkpoint.root:
            yield f"the log must begin as {where} says, and does not"
        elif walk.keys:
            try:
                walk.signer(checkpoint.size).check(held[where])
            except ProofError as error:
                yield f"{where}: {error}"


def _signatures(walk: _Walk, trusted: Verifier | None) -> Iterator[str]:
    """Check that every checkpoint is of this log, and signed by the key listed before it."""
    if walk.edge.size and not walk.keys:
        yield "the log must list the key that signs it"
        return
    if trusted and walk.keys and walk.keys[0][1].line != trusted.line:
        yield f"the log's first key must be {trusted.line}, however: {walk.keys[0][1].line}"
    for size, note in sorted(walk.notes.items()):
        try:
            checkpoint = walk.signer(size).check(note)
        except ProofError as error:
            yield f"checkpoint {size}: {error}"
            continue
        if (checkpoint.size, checkpoint.root) != (size, walk.roots.get(size)):
            yield f"checkpoint {size}: must be that of the first {size} entries, and is not"


class _Walk:
    """One way through all entries, in order, and what was seen on it."""

    def __init__(self, reader: Reader, notes: dict[int, str], sizes: set[int]) -> None:
        self.reader = reader
        self.notes = notes
        self.edge = Edge()
        self.roots: dict[int, bytes] = {0: Edge().root()}
        self.keys: list[tuple[int, Verifier]] = []
        self.missing: set[int] = set()
        self.there: set[int] = set()
        self.erased: set[int] = set()
        self._sizes = sizes | set(notes)
        self._newest = max(notes, default=0)  # up to there every full tile is stored
        self._levels: list[list[bytes]] = [[]]
        self._counts: list[int] = [0]
        self._stored = set(reader.tiles())
        self._head = self._read_head()  # quotes may be recorded meanwhile: what follows is later
        self._head_seen = self.edge == self._head

    def entries(self) -> Iterator[str]:
        for row in self.reader.rows():
            if row.seq != self.edge.size:
                yield f"entry {self.edge.size}: must be there, however: {row.seq} comes next"
                return
            yield from self._entry(row)
            self.edge.add(row.leaf)
            yield from self._tile(row.leaf)
            self._head_seen = self._head_seen or self.edge == self._head
            if self.edge.size in self._sizes:
                self.roots[self.edge.size] = self.edge.root()

    def head_left(self) -> Iterator[str]:
        """Check the head as it was before the walk, and that no entry lies beyond it now."""
        now = self._read_head()
        if not self._head_seen or now is None or now.size < self.edge.size:
            yield f"head: must be that of {self.edge.size} entries, and is not"

    def _read_head(self) -> Edge | None:
        try:
            return self.reader.head()
        except ProofError:
            return None

    def signer(self, size: int) -> Verifier:
        """Return the key that signs at a size: the newest listed before the last entry of it."""
        older = [key for seq, key in self.keys if seq < size - 1] or [self.keys[0][1]]
        return older[-1]

    def tiles_left(self) -> Iterator[str]:
        for level, index in sorted(self._stored):
            yield f"tile {level}/{index}: must not be there before it is full"

    def _entry(self, row: Any) -> Iterator[str]:
        if leaf_hash(row.body) != row.leaf:
            yield f"entry {row.seq}: the leaf must be that of the body, and is not"
        try:
            body = orjson.loads(row.body)
            says = (body["id"], body["tenant"], body["key"], body["kind"], body["time_us"])
            commits = body.get("commit", {})
            if row.kind == KEY:
                self.keys.append((row.seq, Verifier.parse(body["verifier"])))
            if row.kind == ERASURE:
                self.erased.update(body["entries"])
        except (ValueError, KeyError, TypeError, AttributeError, ProofError) as error:
            yield f"entry {row.seq}: the body must be an entry, however: {error!r}"
            return
        if says != (row.quote_id, row.tenant, row.idem_key, row.kind, row.created_us):
            yield f"entry {row.seq}: id, tenant, key, kind and time must be those of the body"
        if row.request.hex() != commits.get("request", ""):
            yield f"entry {row.seq}: the request must be the one of the body"
        if (row.kind == QUOTE) == (row.tenant == LEDGER):
            yield f"entry {row.seq}: quotes must be a tenant's, and the ledger's entries its own"
        yield from self._private(row, commits)
        yield from self._listed(row, body)

    def _listed(self, row: Any, body: Mapping[str, Any]) -> Iterator[str]:
        """Compare what is listed of a quote with what follows from what is recorded."""
        there = tuple(getattr(row, f"listed_{name}") for name in ("id", *FACTS))
        expected: tuple[object, ...] = (None,) * len(there)
        if row.kind == QUOTE:
            try:
                reply = None if row.reply is None else orjson.loads(row.reply)
                expected = (row.quote_id, *Facts.of(body, row.reference, reply).values)
            except (ValueError, KeyError, TypeError, AttributeError):
                return  # it is named already
        if there != expected:
            yield f"quote_index {row.seq}: must say what is recorded, and does not"

    def _private(self, row: Any, commits: Mapping[str, str]) -> Iterator[str]:
        if row.salt is None:
            if row.kind == QUOTE:
                self.missing.add(row.seq)
            return
        self.there.add(row.seq)
        private = Private(row.reference, row.salt, row.asked, row.reply)
        try:
            values = private.opened()
            reference = orjson.loads(row.asked).get("reference")
        except (ValueError, AttributeError) as error:
            yield f"private {row.seq}: must be a request and a reply, however: {error!r}"
            return
        for name in {*values, *commits}:
            made = commit(row.salt, name, values.get(name, b"")).hex()
            if name not in values or made != commits.get(name):
                yield f"private {row.seq}: the {name} must be the one recorded, and is not"
        if (row.private_tenant, row.reference) != (row.tenant, reference):
            yield f"private {row.seq}: tenant and reference must be those of the request"

    def _tile(self, leaf: bytes) -> Iterator[str]:
        """Compare each tile that becomes full with the one stored."""
        level, hash_ = 0, leaf
        while True:
            self._levels[level].append(hash_)
            if len(self._levels[level]) < WIDTH:
                return
            hashes, self._levels[level] = self._levels[level], []
            index, hash_ = self._counts[level], folded(hashes)
            self._counts[level] += 1
            if (level, index) in self._stored:
                self._stored.discard((level, index))
                kept = (self.reader.tile(level, index), self.reader.roots(level, index, index + 1))
                if kept != (b"".join(hashes), [hash_]):
                    yield f"tile {level}/{index}: must be that of the entries, and is not"
            elif self.edge.size <= self._newest:
                yield f"tile {level}/{index}: must be there, and is not"
            level += 1
            if level == len(self._levels):
                self._levels.append([])
                self._counts.append(0)
