"""`python -m serving keys`: make, list and revoke the keys of those who may call."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from pricing.errors import Fault, InputError
from serving.access import root
from serving.access.audit import Event
from serving.access.caller import NAME, SCOPES, is_name
from serving.access.key_file import keep
from serving.access.store import KeyStore
from serving.settings import Settings

USUAL = "price,explain,model:read,ledger:read"
USUAL_DAYS = 365

keys = typer.Typer(
    no_args_is_help=True,
    help="Make, list and revoke the keys of those who may call. Scopes: docs/access.md.",
)


@keys.command()
def create(
    client: Annotated[str, typer.Option(help="Who will hold it: a system or a person.")],
    tenant: Annotated[str, typer.Option(help="Whose data it opens.")] = "local",
    scopes: Annotated[str, typer.Option(help="What it may do, separated by commas.")] = USUAL,
    expires: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="First day on which it opens nothing (UTC)."),
    ] = None,
    keep_it: Annotated[
        bool, typer.Option("--keep", help="Into a file for `ask`, instead of showing it.")
    ] = False,
) -> None:
    """Make a key and print it: the only time that anybody sees it.

    A client has two live keys at most: make the second, give it out, revoke the first.
    """
    settings, now = Settings.read(os.environ), datetime.now(UTC)
    ends = now + timedelta(USUAL_DAYS) if expires is None else expires.replace(tzinfo=UTC)
    asked = frozenset(scopes.replace(",", " ").split())
    _check(client, tenant, asked, ends, now)
    with _Store(settings) as store:
        key = store.create(tenant, client, asked, int(ends.timestamp()))
    root.audit(settings).note(Event("key_created", tenant, client, key.id))
    said = (
        f"key {key.id} of {client} for {tenant}, until {ends:%Y-%m-%d}: {', '.join(sorted(asked))}"
    )
    typer.echo(said, err=True)
    if keep_it:
        keep(settings.key_file, key)
        typer.echo(f"kept in {settings.key_file}", err=True)
    else:
        typer.echo(key.text)


@keys.command(name="list")
def list_() -> None:
    """List every key that was ever made, without its secret."""
    now = datetime.now(UTC).timestamp()
    with _Store(Settings.read(os.environ)) as store:
        records = store.list()
    table = Table("key", "tenant", "client", "scopes", "state", "expires", "last used", box=None)
    for one in records:
        scopes, state = " ".join(sorted(one.scopes)), one.state(now)
        table.add_row(
            one.id, one.tenant, one.client, scopes, state, _day(one.expires), _day(one.used)
        )
    Console(highlight=False, width=None if os.isatty(1) else 200).print(table)


@keys.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The eight letters after sr_live_.")],
) -> None:
    """Take a key away for good."""
    settings = Settings.read(os.environ)
    with _Store(settings) as store:
        record = store.revoke(key_id)
    root.audit(settings).note(Event("key_revoked", record.tenant, record.client, record.id))
    typer.echo(f"key {record.id} of {record.client} for {record.tenant} opens nothing any more")


class _Store:
    """The store for as long as a command lasts; what goes wrong in it is told in our words."""

    def __init__(self, settings: Settings) -> None:
        self._store = root.key_store(settings)

    def __enter__(self) -> KeyStore:
        return self._store

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._store.close()
        if isinstance(error, SQLAlchemyError | OSError):
            expected = "a database that this command can read and write"
            raise InputError.of("SEEDRATE_ACCESS", expected, f"it says {error}") from None


def _check(client: str, tenant: str, scopes: frozenset[str], ends: datetime, now: datetime) -> None:
    """Raise an InputError that names everything that is wrong with a key."""
    faults = [
        Fault(f"--{name}", NAME, repr(given))
        for name, given in (("client", client), ("tenant", tenant))
        if not is_name(given)
    ]
    if not scopes or scopes - set(SCOPES):
        given = ", ".join(sorted(scopes - set(SCOPES))) or "none"
        faults.append(Fault("--scopes", f"among {', '.join(SCOPES)}", given))
    if ends <= now:
        faults.append(Fault("--expires", "a day to come", f"{ends:%Y-%m-%d}"))
    if faults:
        raise InputError(faults)


def _day(seconds: int | None) -> str:
    return "never" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
