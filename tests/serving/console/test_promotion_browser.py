"""A promotion and a rollback, clicked through by two persons: real Chromium, MLflow and server."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from typer.testing import CliRunner

from models import artifact, keys, registry
from serving.access import root
from serving.settings import Settings
from tests import tracking
from tests.serving import known_key, small_model
from tests.serving.conftest import ROOT, running
from tests.serving.console.conftest import enter
from tests.serving.console.test_compare import cents
from tests.serving.shelf import NAME
from tests.serving.test_service import GOOD, call
from training.__main__ import app

pytestmark = pytest.mark.filterwarnings("ignore:.*noload:DeprecationWarning")

SEEDS = (7, 10)  # whose trees may serve
GATES = """# Beside what every server asks too: these small models have no figures out of time.
name = "gates of a test"
version = "1"
horizon_months = 36

[latency]
median_ms = 5000
"""


@dataclass(frozen=True)
class Bank:
    """A server that follows a registry with two versions, the first of which is champion."""

    url: str
    settings: Settings

    def key(self, client: str) -> str:
        store = root.key_store(self.settings)
        scopes = frozenset({"console:read", "promote", "ledger:read"})
        made = store.create("local", client, scopes, int(time.time()) + 3600)
        store.close()
        return made.text

    def quoted(self) -> tuple[str, str]:
        """Return the id of a new quote, and the version that it names."""
        status, _, body = call(f"{self.url}/v1/quotes", GOOD)
        assert status == 201, body
        reply = json.loads(body)
        return reply["quote_id"], reply["model"]["version"]


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    """A real MLflow server, a real `bentoml serve`, and a champion promoted by the command.

    Both start at once: a server without a model takes the first that is promoted.
    """
    var, there = (tmp_path_factory.mktemp(name) for name in ("var", "mlflow"))
    known_key.write(var)
    keys.create(var / "keys", "a test")
    (var / "gates.toml").write_text(GATES, encoding="utf-8")
    with tracking.starting(there) as address:
        environ = {
            "SEEDRATE_VAR": str(var),
            "SEEDRATE_TRACKING_URI": address,
            "SEEDRATE_GATES": str(var / "gates.toml"),
            "SEEDRATE_CONSOLE_PROMOTES": "on",
            "SEEDRATE_POLL_SECONDS": "0.3",
        }
        models = [var / f"made-{seed}" for seed in SEEDS]
        for folder, seed in zip(models, SEEDS, strict=True):
            small_model.make(folder, seed=seed)
        command = [sys.executable, "-m", "serving", "start"]
        with running(command, environ, ROOT, var / "log") as url:
            tracking.answering(address, there)
            for folder in models:
                registered(address, folder)
            first = ["promote", "1", "--reason", "the first", "--by", "cy"]
            done = CliRunner().invoke(app, first, env=environ)
            assert done.exit_code == 0, done.output + done.stderr
            yield Bank(url, Settings.read(environ))


def registered(address: str, folder: Path) -> None:
    """Register a model's files with the server, as a version."""
    with registry.client(address) as client:
        if not client.search_registered_models():
            client.create_registered_model(NAME)
        run = client.create_run("0")
        client.log_artifacts(run.info.run_id, str(folder), f"data/{registry.FOLDER}")
        tags = {"digest": artifact.verify(folder)}
        client.create_model_version(NAME, run.info.artifact_uri, run.info.run_id, tags=tags)


@pytest.fixture(scope="module")
def persons(bank: Bank, chromium: Browser) -> Iterator[tuple[Page, Page]]:
    """Ann and Bob, who may promote, each in a browser of their own that runs no script."""
    pages = []
    for client in ("ann", "bob"):
        context = chromium.new_context(locale="en-GB", java_script_enabled=False, base_url=bank.url)
        enter(context, bank.url, bank.key(client))
        pages.append(context.new_page())
    yield pages[0], pages[1]
    for page in pages:
        page.context.close()


def proposed(page: Page, reason: str, version: str = "") -> None:
    """Propose to promote a version, or else to roll back."""
    page.goto("/console/promotions")
    if version:
        page.get_by_label("Version, its number").fill(version)
    else:
        page.get_by_label("Roll back to the champion before").check()
    page.get_by_label("Reason").fill(reason)
    page.get_by_role("button", name="Propose").click()
    expect(page.locator("h1")).to_contain_text("proposed")


def refuses_its_own(page: Page) -> None:
    """See that who proposed is offered no agreement, and gets none by sending the form."""
    expect(page.get_by_role("button", name="Agree")).to_have_count(0)
    token = page.locator("input[name=token]").first.get_attribute("value") or ""
    answer = page.request.post(page.url, form={"token": token, "decision": "agree"})
    assert answer.status == 409
    assert "You proposed this yourself" in answer.text()


def agreed(page: Page, address: str) -> None:
    """Agree as another person, and wait as one does: the page looks again by itself."""
    page.goto(address)
    page.get_by_role("button", name="Agree and run").click()
    expect(page.locator("h1 .tag")).to_have_text("done", timeout=180_000)
    expect(page.locator("pre").last).to_contain_text(re.compile("signed|champion"))


def serving(page: Page, version: str) -> None:
    """Look at the models until this server serves a version."""
    card = page.get_by_role("region", name="Registry")
    until = time.monotonic() + 120
    page.goto("/console/models")
    while (told := card.inner_text()).count(f"Version {version}") < 2 and time.monotonic() < until:
        time.sleep(0.3)
        page.reload()
    assert told.count(f"Version {version}") == 2, told  # serves now; the alias names
    assert "answers" in told
    row = page.get_by_role("row").filter(has_text="serves").first
    expect(row).to_contain_text(f"Version {version}")
    expect(row).to_contain_text("champion")


def compared(page: Page, model: str) -> None:
    """Let another model price the facts of the quote that is open; the columns sum exactly."""
    page.get_by_role("link", name="Compare", exact=True).last.click()
    page.get_by_label("Against").select_option(f"the same facts, priced by {model}")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text(f"→ {model}", exact=False)).to_be_visible()
    page.get_by_text("All columns", exact=False).first.click()
    table = page.get_by_role("region", name="All columns")
    *parts, whole = (
        cents(text) for text in table.locator("td.num:nth-of-type(4)").all_inner_texts()
    )
    assert whole
    assert sum(parts) == whole


def test_two_persons_promote_and_roll_back_and_the_server_follows(
    bank: Bank, persons: tuple[Page, Page]
) -> None:
    ann, bob = persons
    serving(ann, "1")
    before, version = bank.quoted()
    assert version == "1"

    proposed(ann, "yearly refit", "2")
    refuses_its_own(ann)
    agreed(bob, ann.url)
    serving(bob, "2")
    quote_id, version = bank.quoted()
    assert version == "2"
    ann.goto(f"/console/quotes/{quote_id}")
    expect(ann.locator("main")).to_contain_text("seedrate 2")
    expect(ann.locator("#proof .tag.good")).to_be_visible()
    ann.goto(f"/console/quotes/{before}")  # of the model of before, which is kept
    expect(ann.locator("main")).to_contain_text("seedrate 1")
    expect(ann.locator("#proof")).to_contain_text("Priced again by its own model and policy")

    compared(ann, "seedrate 2")

    proposed(bob, "prices are off")
    refuses_its_own(bob)
    agreed(ann, bob.url)
    serving(ann, "1")
    assert bank.quoted()[1] == "1"
    history = ann.get_by_role("region", name="What served when").get_by_role("row")
    expect(history.nth(1)).to_contain_text("restored by a rollback, local/bob, agreed by local/ann")
    expect(history.nth(2)).to_contain_text("promoted, local/ann, agreed by local/bob")
    expect(history.nth(2)).to_contain_text("yearly refit")
