"""`python -m serving ledger`: verify, prove and export the log, anchor it, erase, price again."""

from __future__ import annotations

import asyncio
import os
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import orjson
import typer

from pricing.errors import InputError, SeedrateError
from serving import app as parts
from serving.access import root
from serving.access.audit import Event
from serving.access.caller import LOCAL
from serving.ledger import erasure, keyring, migrate, rotation, seals, tree
from serving.ledger.anchors import Anchor, AnchorError, Anchors, Evidence
from serving.ledger.audit import audit
from serving.ledger.chain import Chain
from serving.ledger.entry import KEY, microseconds
from serving.ledger.export import export as export_tiles
from serving.ledger.held import Held
from serving.ledger.ledger import Ledger
from serving.ledger.note import Checkpoint, Verifier
from serving.ledger.receipt import receipt
from serving.ledger.reprice import reprice as priced_again
from serving.ledger.store import TROUBLES, Store
from serving.ledger.tiles import Tiles
from serving.ledger.timestamp import Timestamp
from serving.ledger.tree import ProofError
from serving.problem import RefusedError
from serving.settings import Settings

INTACT, TAMPERED, CANNOT_TELL = 0, 1, 2
ledger_cli = typer.Typer(
    no_args_is_help=True,
    help="Prove, check, anchor and erase what is recorded: docs/ledger.md. Exit codes of the "
    "checks: 0 intact, 1 tampered with, 2 cannot be told.",
)
QuoteId = Annotated[str, typer.Argument(help="Of a recorded quote.")]
Tenant = Annotated[str, typer.Option(help="Whose quote it is.")]
KeyLine = Annotated[str, typer.Option("--key", help="The log's first public key, a line.")]
File = Annotated[Path, typer.Argument(exists=True, dir_okay=False)]


@ledger_cli.command()
def verify(
    key: KeyLine = "",
    since: Annotated[Path | None, typer.Option(help="A checkpoint that you hold.")] = None,
) -> None:
    """Read the whole log, and say what is not as it was recorded."""
    settings, store = _opened()
    with closing(store.reader) as reader:
        try:
            held = {str(path): Held(path).note() for path in (settings.held, since) if path}
            kept = {where: one for where, one in held.items() if one is not None}
            anchored = {
                f"{one.kind} at {one.checkpoint.size}": one.note
                for one in Anchors(settings.anchors).all()
            }
            trusted = Verifier.parse(key) if key else None
            found = audit(reader, trusted, {**kept, **anchored})
            sealed, path = reader.others(seals.AUDIT), settings.audit
            found.faults += seals.broken(sealed, path, ours_alone=not store.remote)
        except TROUBLES as error:
            _end(CANNOT_TELL, f"cannot tell: {error}")
    for fault in found.faults:
        typer.echo(f"TAMPERED: {fault}")
    said = f"{found.size} entries, {found.erased} of them erased, root {found.root.hex()}"
    _end(TAMPERED if found.faults else INTACT, said)


@ledger_cli.command()
def prove(quote_id: QuoteId, tenant: Tenant = LOCAL.tenant) -> None:
    """Print the receipt of a quote, which deploy/verify_receipt.py verifies anywhere."""
    settings, store = _opened()
    with closing(store.reader) as reader:
        kept = store.find(tenant, quote_id)
        if kept is None:
            _end(CANNOT_TELL, "no quote is recorded under this id")
        anchors = Anchors(settings.anchors).newest(kept.seq + 1)
        note = anchors[0].note if anchors else reader.checkpoint()
        if note is None or Checkpoint.parse(note).size <= kept.seq:
            _end(CANNOT_TELL, "no checkpoint covers it yet")
        try:
            typer.echo(orjson.dumps(receipt(kept, Tiles(reader), note, anchors)))
        except ProofError as error:
            _end(TAMPERED, f"TAMPERED: {error}")


@ledger_cli.command()
def consistency(
    old: Annotated[Path, typer.Argument(exists=True, help="A checkpoint that you hold.")],
    new: Annotated[Path | None, typer.Argument(help="A later one; else the newest.")] = None,
) -> None:
    """Print the proof that the log has only grown since a checkpoint."""
    _, store = _opened()
    with closing(store.reader) as reader:
        note = new.read_text("utf-8") if new else reader.checkpoint()
        if note is None:
            _end(CANNOT_TELL, "no checkpoint was signed yet")
        known = keyring.listed(reader.others(KEY))
        try:
            older, newer = (_signed(text, known) for text in (old.read_text("utf-8"), note))
            path = tree.consistency(Tiles(reader), older.size, newer.size)
            tree.check_consistency(older.size, older.root, newer.size, newer.root, path)
        except ProofError as error:
            _end(TAMPERED, f"TAMPERED: {error}")
    for step in path:
        typer.echo(step.hex())
    _end(INTACT, f"the log of {newer.size} entries begins with that of {older.size}")


@ledger_cli.command()
def export(folder: Annotated[Path, typer.Argument(help="Made if absent.")]) -> None:
    """Write checkpoint, tiles and public entries as files that C2SP's tools read."""
    settings, store = _opened()
    with closing(store.reader) as reader:
        note = reader.checkpoint()
        if note is None:
            _end(CANNOT_TELL, "no checkpoint was signed yet")
        entries = Checkpoint.parse(note).size
        root.audit(settings).note(
            Event("exported", LOCAL.tenant, LOCAL.client, why=f"{entries} entries")
        )
        typer.echo(f"{export_tiles(reader, note, folder)} files in {folder}")


@ledger_cli.command()
def anchor(
    tsa: Annotated[str, typer.Option(help="Address of an RFC 3161 authority.")] = "",
    certificates: Annotated[Path | None, typer.Option(help="Its roots, PEM.")] = None,
    chain: Annotated[str, typer.Option(help="Address of a WeBASE-Front.")] = "",
    contract: Annotated[str, typer.Option(help="Address of the contract on the chain.")] = "",
    user: Annotated[str, typer.Option(help="Address of the account that signs.")] = "",
    check: Annotated[bool, typer.Option("--check", help="Only verify what is kept.")] = False,
) -> None:
    """Have outsiders attest the newest checkpoint; run it every hour, beside the server."""
    if bool(tsa) != bool(certificates) or bool(chain) != bool(contract and user):
        raise InputError.of(
            "anchor", "--tsa with --certificates, --chain with --contract and --user", "less"
        )
    asked: list[Anchor] = []
    if certificates:
        asked.append(Timestamp.at(tsa, certificates))
    if chain:
        asked.append(Chain(chain, contract, user))
    settings, store = _opened()
    with closing(store.reader) as reader:
        note = reader.checkpoint()
    kept = Anchors(settings.anchors)
    if check:
        _check(asked, kept)
    elif note is None:
        _end(CANNOT_TELL, "no checkpoint was signed yet")
    else:
        _publish(asked, kept, note)


@ledger_cli.command()
def erase(
    reference: Annotated[str, typer.Option(help="Of requests.")] = "",
    quote: Annotated[str, typer.Option(help="Id of one quote.")] = "",
    before: Annotated[str, typer.Option(help="A day, 2020-01-31: all older quotes.")] = "",
    expired: Annotated[
        bool, typer.Option("--expired", help="All older than SEEDRATE_RETENTION_YEARS.")
    ] = False,
    tenant: Tenant = LOCAL.tenant,
    why: Annotated[str, typer.Option(help="For the log; must name nobody.")] = "as asked",
) -> None:
    """Erase the requests and replies of quotes; their entries and proofs stay.

    With SQLite no server may be running. Backups are yours to age out: docs/ledger.md.
    """
    if sum(map(bool, (reference, quote, before, expired))) != 1:
        expected = "one of --reference, --quote, --before and --expired"
        raise InputError.of("erase", expected, "none or several")
    if expired:
        before = _years_ago(parts.clock(), Settings.read(os.environ).retention_years)
    with _writing() as ledger:
        found = _erasable(ledger.store, reference, quote, before, tenant)
        if found:
            asyncio.run(erasure.erase(ledger, found, why))
    typer.echo(f"{len(found)} quotes erased")


@ledger_cli.command()
def reprice(quote_id: QuoteId, tenant: Tenant = LOCAL.tenant) -> None:
    """Price a recorded quote again, by its own model and policy, and compare every byte."""
    settings, store = _opened()
    with closing(store.reader):
        kept = store.find(tenant, quote_id)
    if kept is None:
        _end(CANNOT_TELL, "no quote is recorded under this id")
    try:
        made = priced_again(settings, kept, parts.repricer(settings))
    except (RefusedError, SeedrateError) as error:
        _end(CANNOT_TELL, f"cannot tell: {error}")
    code = "the same program" if made.same_code else "another program than made it"
    if made.same:
        _end(INTACT, f"the same, byte for byte, by {code}")
    _end(TAMPERED, f"NOT THE SAME, by {code}: {', '.join(made.differing)}")


@ledger_cli.command()
def rotate() -> None:
    """Sign with a new key from now on; the log lists it. No server may be running."""
    settings, store = _opened()
    with closing(store.reader) as reader:
        bodies = reader.others(KEY)
    if rotation.finish(settings.ledger_key, settings.origin, bodies):
        _end(INTACT, "the rotation that had broken off is finished")
    with _writing() as ledger:
        fresh = asyncio.run(rotation.rotate(ledger, settings.ledger_key, settings.origin))
    typer.echo(fresh.verifier.line)


@ledger_cli.command()
def key() -> None:
    """Print the public keys that the log lists, oldest first: what outsiders pin."""
    _, store = _opened()
    with closing(store.reader) as reader:
        for one in keyring.listed(reader.others(KEY)):
            typer.echo(one.line)


@ledger_cli.command()
def tables() -> None:
    """Make the tables of the ledger, or bring them to this version, as their owner."""
    _, store = _opened()
    with closing(store):
        store.open()
    typer.echo(f"{store.name}: the tables are of version {migrate.NEWEST}")


def _opened() -> tuple[Settings, Store]:
    """Return the settings and their store, to read from."""
    settings = Settings.read(os.environ)
    return settings, parts.store(settings)


def _writing() -> closing[Ledger]:
    ledger = parts.ledger(Settings.read(os.environ))
    ledger.wait_open(10)
    if ledger.trouble:
        trouble = ledger.trouble
        ledger.close()
        _end(CANNOT_TELL, trouble)
    return closing(ledger)


def _erasable(store: Store, reference: str, quote: str, before: str, tenant: str) -> list[int]:
    if reference:
        return store.reader.subjects(tenant, reference)
    if before:
        try:
            day = datetime.fromisoformat(before).replace(tzinfo=UTC)
        except ValueError:
            raise InputError.of("before", "a day such as 2020-01-31", before) from None
        return store.reader.older(microseconds(day))
    kept = store.find(tenant, quote)
    return [kept.seq] if kept and kept.private else []


def _years_ago(now: datetime, years: int) -> str:
    """Return the day some years ago; of a leap day, the last of that February.

    >>> _years_ago(datetime(2028, 2, 29), 7)
    '2021-02-28'
    """
    leap = (now.month, now.day) == (2, 29)
    return f"{now.year - years:04}-{now.month:02}-{28 if leap else now.day:02}"


def _signed(note: str, known: list[Verifier]) -> Checkpoint:
    for verifier in known:
        try:
            return verifier.check(note)
        except ProofError:
            continue
    raise ProofError("a checkpoint must be signed by a key that the log lists")


def _publish(asked: list[Anchor], kept: Anchors, note: str) -> None:
    checkpoint, failed = Checkpoint.parse(note), False
    for one in asked:
        try:
            data = one.publish(checkpoint.origin, checkpoint.size, checkpoint.root)
        except AnchorError as error:
            failed = True
            typer.echo(f"NOT ANCHORED: {error}")
            continue
        evidence = Evidence(one.kind, note, data, microseconds(parts.clock()))
        typer.echo(f"{one.kind} at {checkpoint.size}: {kept.keep(evidence)}")
    raise typer.Exit(CANNOT_TELL if failed else INTACT)


def _check(asked: list[Anchor], kept: Anchors) -> None:
    kinds, failed = {one.kind: one for one in asked}, False
    for evidence in kept.all():
        checkpoint = evidence.checkpoint
        if evidence.kind not in kinds:
            continue
        try:
            said = kinds[evidence.kind].verify(
                checkpoint.origin, checkpoint.size, checkpoint.root, evidence.data
            )
        except ProofError as error:
            failed, said = True, f"TAMPERED: {error}"
        typer.echo(f"{evidence.kind} at {checkpoint.size}: {said}")
    raise typer.Exit(TAMPERED if failed else INTACT)


def _end(code: int, said: str) -> NoReturn:
    typer.echo(said)
    raise typer.Exit(code)
