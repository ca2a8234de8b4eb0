"""The deployment's processes, run natively: a bank quotes through the proxy whatever ends."""

from __future__ import annotations

import signal
import ssl
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from serving.client import Client, Quote
from serving.client.patience import Patience
from tests.conftest import ROOT
from tests.deploy.processes import HOST, Deployment, answers, entries, missing
from tests.serving.known_key import KEY
from tests.serving.ledger import cluster

GOOD = (ROOT / "examples" / "good.json").read_bytes()
PATIENT = Patience(120)
FRESH = 1  # seed of the second model


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    """Databases, registry with a champion, two servers and the proxy, all up."""
    programs = cluster.binaries()
    if lacking := missing() or ("" if programs else "a PostgreSQL server (initdb)"):
        pytest.skip(f"a deployment cannot run here, for want of {lacking}: deploy/tools.sh")
    assert programs is not None
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="seedrate-d-")))
        folder.chmod(0o755)  # the proxy's workers are nobody
        made = Deployment(folder, stack.enter_context(cluster.running(programs)))
        made.prepare()
        stack.enter_context(made.serve_mlflow())
        (folder / "models").mkdir()
        answers(f"{made.uri}/health")
        made.promote(seed=7, turn=1)
        for number in (0, 1):
            stack.enter_context(made.serve(number))
        for number in (0, 1):
            answers(f"{made.url(number)}/readyz")
        stack.enter_context(made.serve_proxy())
        yield made


def tls(deployment: Deployment, who: str | None) -> ssl.SSLContext:
    """Return what a caller trusts and shows; None shows nothing."""
    folder = deployment.folder / "tls"
    context = ssl.create_default_context(cafile=str(folder / "clients.crt"))
    if who:
        context.load_cert_chain(folder / f"{who}.crt", folder / f"{who}.key")
    return context


@pytest.fixture
def bank(deployment: Deployment) -> Iterator[Client]:
    url = f"https://{HOST}:{deployment.proxy}"
    with Client(url, KEY, PATIENT, tls=tls(deployment, "bank")) as client:
        yield client


def ask(deployment: Deployment, who: str | None, path: str, host: str = HOST) -> httpx.Response:
    with httpx.Client(verify=tls(deployment, who)) as http:
        return http.get(
            f"https://{HOST}:{deployment.proxy}{path}",
            headers={"Host": host, "Authorization": f"Bearer {KEY}"},
            extensions={"sni_hostname": host},
        )


def test_the_proxy_lets_through_banks_and_what_is_theirs(deployment: Deployment) -> None:
    answer = ask(deployment, "bank", "/v1/model")
    assert answer.status_code == 200
    assert len(answer.headers["X-Request-ID"]) == 32
    for path in ("/metrics", "/", "/quote", "/schema.json", "/v1/../metrics"):
        refused = ask(deployment, "bank", path)
        assert (refused.status_code, refused.json()["code"]) == (404, "proxy_refused"), path
    for who in (None, "stranger"):
        assert ask(deployment, who, "/v1/model").status_code == 400
    with pytest.raises(httpx.ConnectError, match=r"(?i)unrecognized.name"):
        ask(deployment, "bank", "/v1/model", host="evil.example")


def test_the_proxy_speaks_nothing_older_than_tls_1_3(deployment: Deployment) -> None:
    context = tls(deployment, "bank")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with httpx.Client(verify=context) as http, pytest.raises(httpx.ConnectError):
        http.get(f"https://{HOST}:{deployment.proxy}/v1/model")


def test_a_bank_quotes_while_a_server_dies_and_is_back_with_the_new_champion(
    deployment: Deployment, bank: Client
) -> None:
    before = entries(deployment)
    with quoting(bank) as quotes:
        fresh = deployment.promote(seed=FRESH, turn=2)
        kill(deployment.servers[0])
        reached = len(quotes)
        with deployment.serve(0):
            answers(f"{deployment.url(0)}/readyz")
            with Client(deployment.url(0), KEY) as served:
                assert served.what_if(GOOD).document["model"]["digest"] == fresh
            assert len(quotes) > reached  # the other one answered
    assert len({quote.quote_id for quote in quotes}) == len(quotes)
    assert entries(deployment) == before + len(quotes)
    assert "entries" in deployment.verified()


@contextmanager
def quoting(bank: Client) -> Iterator[list[Quote]]:
    """Ask from two threads as long as the block lasts; a quote that failed fails the test."""
    over, quotes = threading.Event(), list[Quote]()

    def ask_on() -> None:
        while not over.is_set():
            quotes.append(bank.quote(GOOD))

    with ThreadPoolExecutor(2) as threads:
        asking = [threads.submit(ask_on) for _ in range(2)]
        try:
            yield quotes
        finally:
            over.set()
    for one in asking:
        one.result()


def kill(port: int) -> None:
    """Kill a server and its worker at once, as a lost machine would."""
    (parent,) = [
        one
        for one in psutil.process_iter()
        if "serving.service:Seedrate" in cmdline(one) and str(port) in cmdline(one)
    ]
    for one in [*parent.children(recursive=True), parent]:
        with suppress(psutil.NoSuchProcess):
            one.send_signal(signal.SIGKILL)


def cmdline(process: psutil.Process) -> list[str]:
    try:
        words: list[str] = process.cmdline()
    except psutil.Error:
        return []
    return words
