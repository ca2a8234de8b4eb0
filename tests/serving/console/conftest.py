"""A server with quotes of every kind, on a real socket, and a real browser: once a module."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from pricing.errors import InputError
from serving.access.caller import LOCAL
from serving.app import Server
from serving.settings import Settings
from tests.conftest import ROOT
from tests.serving import known_key, small_model
from tests.serving.console.test_house import Browser as AsgiBrowser
from tests.serving.console.test_house import key_of
from tests.serving.known_key import KEY

CHROMIUM = next(
    (
        path
        for name in ("chromium", "chromium-browser")
        if (path := Path("/usr/bin", name)).exists()
    ),
    None,
)


@pytest.fixture(scope="module")
def quotes(server: Server) -> dict[str, str]:
    """The id of a recorded quote for each example."""
    desk = server.office.served.desk

    async def recorded() -> dict[str, str]:
        ids = {}
        for path in sorted((ROOT / "examples").glob("*.json")):
            body = json.loads(path.read_text("utf-8"))
            try:
                reply = await desk.quote(body, LOCAL, f"console-{path.stem}")
            except InputError:  # meant for another column set
                continue
            ids[path.stem] = str(reply.quote_id)
        return ids

    with ThreadPoolExecutor(1) as thread:  # a browser's loop may run in this one
        return thread.submit(lambda: asyncio.run(recorded())).result()


@pytest.fixture(scope="module")
def url(server: Server, quotes: dict[str, str]) -> Iterator[str]:
    """The server's address."""
    with listening(server) as address:
        yield address


@contextmanager
def listening(server: Server) -> Iterator[str]:
    """Yield the address at which a server answers until the end of the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = uvicorn.Config(
        server.gate(), port=port, lifespan="off", ws="none", log_level="warning", loop="asyncio"
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    running.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_model.unsigned(tmp_path_factory.mktemp("other"), seed=10)


@pytest.fixture
def shadowed(tmp_path: Path) -> Iterator[Server]:
    """A server that prices every quote twice, as soon as it has a challenger."""
    small_model.write(tmp_path / "models")
    known_key.write(tmp_path)
    environ = {"SEEDRATE_VAR": str(tmp_path), "SEEDRATE_TRACKING_URI": "off"}
    made = Server.open(Settings.read({**environ, "SEEDRATE_SHADOW_SHARE": "1"}))
    assert made.ledger.wait_open(10)
    made.champion.first()
    yield made
    made.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser, or a skip that says what is missing."""
    if CHROMIUM is None:
        pytest.skip("no browser: apt-get install chromium")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def signed_in(chromium: Browser, url: str) -> dict[str, object]:
    """What a browser keeps of somebody who has signed in, through the page that asks."""
    context = chromium.new_context()
    enter(context, url)
    state = dict(context.storage_state())
    context.close()
    return state


@pytest.fixture
def ann(server: Server) -> AsgiBrowser:
    """Somebody of a bank who may have books priced, without a real browser."""
    browser = AsgiBrowser(server)
    browser.sign_in(key_of(server, {"console:read", "price"}))
    return browser


def enter(context: BrowserContext, url: str, key: str = KEY) -> None:
    """Sign in as a person does."""
    page = context.new_page()
    page.goto(f"{url}/console/sign-in?language=en")
    page.get_by_label("Access key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()  # a page that still goes
    page.close()  # somewhere may hold the browser up for ever
