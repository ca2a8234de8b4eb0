from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from pricing.errors import InputError
from serving.settings import SETTINGS, Settings

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| `(SEEDRATE_\w+)` \| (?:`([^`]*)`)? ?\| (.*) \|$", re.MULTILINE)


def test_nothing_set_means_the_documented_defaults() -> None:
    settings = Settings.read({})
    var = Path.cwd() / "var"
    assert (settings.var, settings.ledger) == (var, var / "ledger.db")
    assert settings.tracking_uri == f"sqlite:///{var}/mlflow.db"
    assert settings.hosts == {"localhost", "127.0.0.1", "[::1]"}
    assert (settings.model, settings.alias, settings.policy) == ("seedrate", "champion", None)


def test_the_registry_lies_where_var_does_and_can_be_off() -> None:
    assert Settings.read({"SEEDRATE_VAR": "/x"}).tracking_uri == "sqlite:////x/mlflow.db"
    assert Settings.read({"SEEDRATE_TRACKING_URI": "off"}).tracking_uri is None
    assert Settings.read({"SEEDRATE_TRACKING_URI": "http://h"}).tracking_uri == "http://h"


def test_every_wrong_setting_is_named_at_once() -> None:
    wrong = {
        "SEEDRATE_MODEL": "a b",
        "SEEDRATE_ALIAS": "",
        "SEEDRATE_HOSTS": " , ",
        "SEEDRATE_TIMEOUT_SECONDS": "15",
        "SEEDRATE_PULL_SECONDS": "soon",
        "SEEDRATE_AT_ONCE": "0",
        "SEEDRATE_LEDGER_QUEUE": "0",
        "SEEDRATE_AUDIT_SHARE": "2",
        "SEEDRATE_ACCESS": "a secret that is no address",
        "SEEDRATE_JWKS": "http://id.example/jwks",
        "SEEDRATE_JWT_ISSUER": "",
        "SEEDRATE_JWT_AUDIENCE": "",
        "SEEDRATE_JWT_SECONDS": "0",
        "SEEDRATE_LIMIT_PRICE": "-1",
        "SEEDRATE_LIMIT_EXPLAIN": "many",
        "SEEDRATE_LIMIT_LEDGER": "0",
        "SEEDRATE_LIMIT_AT_ONCE": "0",
    }
    with pytest.raises(InputError) as error:
        Settings.read(wrong)
    assert {fault.field for fault in error.value.faults} == set(wrong)
    assert "secret" not in str(error.value)


def test_a_password_of_the_database_of_keys_is_not_shown() -> None:
    settings = Settings.read({"SEEDRATE_ACCESS": "postgresql+psycopg://ann:hush@db/access"})
    assert "hush" in settings.access.url
    assert "hush" not in repr(settings)


def test_the_page_of_settings_is_complete_and_true() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert ROW.findall(page) == [(one.name, one.default, one.meaning) for one in SETTINGS]


def test_the_environment_is_read_in_one_place() -> None:
    """Else a setting could work and not be documented."""
    reads = {
        path.name
        for path in (ROOT / "serving").rglob("*.py")
        if "os.environ" in path.read_text(encoding="utf-8")
    }
    assert reads == {
        "__main__.py",
        "command.py",
        "service.py",
        "champion.py",
        "commands.py",
        "promotions.py",
        "runner.py",
        "job.py",
    }  # which pass it on whole
    assert os.environ is not None
