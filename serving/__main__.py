"""`python -m serving`: start the server, quote without it, ask a running one."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from features import holdings
from models.hazard import HazardModel
from models.pricer import Pricer
from pricing import policy
from pricing.errors import InputError, ModelError, SeedrateError
from pricing.ifrs9 import portfolio
from serving import app as parts
from serving import comparisons
from serving.access import command
from serving.access.caller import LOCAL
from serving.access.key_file import kept
from serving.champion import ROOT, champion
from serving.client import Client, NoAnswerError, ProblemError
from serving.contract import Contract
from serving.desk import Desk
from serving.examples import askable
from serving.gauges import Gauges
from serving.ledger import commands
from serving.ledger.ledger import Ledger
from serving.ledger.none import NoLedger
from serving.openapi import openapi_document
from serving.problem import NOT_READY, RefusedError, answer, new_error_id
from serving.provisions import render_provisions, write
from serving.score.command import score_book
from serving.settings import Settings
from serving.strict_json import parse
from serving.terminal import render, render_problem

cli = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Serve explained prices of early-stage loans. Settings: docs/settings.md.",
)
cli.add_typer(command.keys, name="keys")
cli.add_typer(commands.ledger_cli, name="ledger")
cli.command("score")(score_book)
Files = Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="Request bodies.")]
File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A request body.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the exact reply.")]
Said = Annotated[str, typer.Option(help="Of the reasons: en or zh.")]


@cli.command()
def start(
    port: Annotated[int, typer.Option(help="To listen on.")] = 3000,
    host: Annotated[str, typer.Option(help="Address to bind; see SEEDRATE_HOSTS.")] = "127.0.0.1",
) -> None:
    """Start the HTTP server, tuned, with the champion of the registry.

    The same as `bentoml serve serving.service:Seedrate`, with everything it writes below `var`.
    It answers those who show a key: python -m serving keys create --client me --keep
    """
    environment = {**os.environ, **launched(Settings.read(os.environ))}
    serve = [sys.executable, "-m", "bentoml", "serve", "serving.service:Seedrate"]
    serve += ["--working-dir", str(ROOT), "--host", host, "--port", str(port)]
    os.execve(serve[0], serve, environment)


@cli.command()
def quote(
    file: File,
    as_json: AsJson = False,
    language: Said = "",
    record: Annotated[bool, typer.Option(help="Record it; no server may be running.")] = False,
) -> None:
    """Price and explain a request without HTTP: the same function and body as the server.

    Try: python -m serving quote examples/good.json
    """
    settings = Settings.read(os.environ)
    body = _with_language(parse(file.read_bytes()), language)
    reply = asyncio.run(_quote(settings, body, record=record))
    _print(reply, as_json=as_json)


@cli.command()
def ask(
    url: Annotated[str, typer.Argument(help="Of a server, such as http://localhost:3000")],
    files: Files,
    as_json: AsJson = False,
    language: Said = "",
    wait: Annotated[float, typer.Option(help="Seconds to wait for the server.")] = 0,
    key: Annotated[
        str,
        typer.Option(
            envvar="SEEDRATE_KEY",
            show_envvar=True,
            help="To show the server; else the one that `keys create --keep` left here.",
        ),
    ] = "",
) -> None:
    """Ask a running server for quotes over HTTP, and print each as a waterfall.

    Try: python -m serving ask http://localhost:3000 examples/*.json
    """
    failed = False
    with Client(url, key or kept(Settings.read(os.environ).key_file)) as client:
        if why := client.wait_ready(wait):
            raise RefusedError(NOT_READY, why)
        for file in files:
            body = orjson.dumps(_with_language(parse(file.read_bytes()), language))
            try:
                _print(client.quote(body).body, as_json=as_json)
            except ProblemError as refused:
                failed = True
                _print(orjson.dumps(refused.document), as_json=as_json)
            except NoAnswerError as error:
                raise RefusedError(NOT_READY, str(error)) from None
    raise typer.Exit(1 if failed else 0)


@cli.command()
def openapi() -> None:
    """Print the interface of the model that serves, as OpenAPI 3.1."""
    model = _champion(Settings.read(os.environ))
    contract = Contract.of(model.column_set)
    examples = askable(contract)
    document = openapi_document(model.column_set, contract, examples)
    typer.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))


@cli.command()
def shadow() -> None:
    """Print how far the challenger's prices are off the champion's, by segment.

    A server keeps them where SEEDRATE_SHADOW_SHARE is above 0: docs/promotion.md.
    """
    rows = comparisons.read(Settings.read(os.environ).shadow)
    Console(highlight=False).print(comparisons.render(rows))


@cli.command()
def provisions(
    book: Annotated[Path, typer.Argument(help="Loans that have been granted, Parquet or CSV.")],
    rules: Annotated[
        Path | None, typer.Option("--policy", help="Policy; if not given, SEEDRATE_POLICY.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where each loan's losses go, by name.")] = None,
) -> None:
    """Stage the loans of a book and say what IFRS 9 asks to set aside; no model is needed.

    Try: python -m serving provisions examples/book.csv --policy pricing/policies/cny.toml
    """
    path = rules or Settings.read(os.environ).policy
    if path is None:
        raise InputError.of("policy", "given, as --policy or SEEDRATE_POLICY", "none")
    read, loans = policy.parse(policy.text(path, currency="any currency")), holdings.read(book)
    losses = portfolio.provisions(loans, read)
    if out is not None:
        write(out, loans, losses)
    Console(highlight=False).print(render_provisions(loans, losses, read.currency))


def launched(settings: Settings) -> dict[str, str]:
    """Return what a server finds in its environment beside what is set already."""
    return {
        "SEEDRATE_VAR": str(settings.var),
        "BENTOML_HOME": os.environ.get("BENTOML_HOME", str(settings.var / "bentoml")),
        "BENTOML_DO_NOT_TRACK": "True",
    }


async def _quote(settings: Settings, body: Any, *, record: bool) -> bytes:
    model = _champion(settings)
    rules = parts.rules(settings, model.currency)
    pricer = Pricer(model, rules)
    if not record:
        return _desk(settings, pricer, NoLedger()).what_if(body, LOCAL).body
    ledger = parts.ledger(settings)
    try:
        ledger.wait_open(5)
        key = parts.fresh_id(parts.clock())
        return (await _desk(settings, pricer, ledger).quote(body, LOCAL, key)).body
    finally:
        ledger.close()


def _champion(settings: Settings) -> HazardModel:
    try:
        return champion(settings)
    except ModelError as error:
        raise RefusedError(NOT_READY, str(error)) from None


def _desk(settings: Settings, pricer: Pricer, ledger: Ledger | NoLedger) -> Desk:
    return parts.desk(pricer, ledger, Gauges(), audit_share=settings.audit_share)


def _with_language(body: Any, language: str) -> Any:
    return {**body, "language": language} if language and isinstance(body, dict) else body


def _print(reply: bytes, *, as_json: bool) -> None:
    if as_json:
        typer.echo(reply)
        return
    document = orjson.loads(reply)
    console = Console(highlight=False)
    console.print(render_problem(document) if "code" in document else render(document))
    console.print()


def main() -> None:
    """Run a command; a refusal is printed as one, and ends with status 1."""
    try:
        cli()
    except (RefusedError, SeedrateError) as error:
        _fail(answer(error, new_error_id, "the command line"))


def _fail(refusal: RefusedError) -> None:
    Console(stderr=True, highlight=False).print(render_problem(refusal.document()))
    sys.exit(1)


if __name__ == "__main__":
    main()
