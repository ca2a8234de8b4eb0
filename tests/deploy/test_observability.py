from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import ROOT
from tests.serving.known_key import KEY
from tests.serving.test_service import GOOD, call

FOLDER = ROOT / "deploy" / "prometheus"
DASHBOARD = ROOT / "deploy" / "grafana" / "seedrate.json"
NAME = re.compile(r"\b(?:seedrate|process|python)_[a-z_]+\b")
RECORDED = re.compile(r"\bseedrate:[a-z_0-9:]+")
# Without a challenger nothing is compared, so that its histogram has no bucket yet.
LATER = {"seedrate_shadow_difference_bps_bucket"}


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def asked() -> list[str]:
    """Return every expression of the rules and of the dashboard."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    shown = [target["expr"] for panel in panels for target in panel["targets"]]
    return [rule["expr"] for rule in rules()] + shown


def test_every_metric_that_rules_and_dashboard_name_is_given_by_a_server(process: str) -> None:
    call(f"{process}/v1/quotes", GOOD)
    call(f"{process}/nothing")
    text = call(f"{process}/metrics")[2].decode()
    given = {sample.name for one in text_string_to_metric_families(text) for sample in one.samples}
    given |= {"seedrate_audit_difference_bps_bucket", "seedrate_audit_alarms_total"}  # of a share
    named = {name for expression in asked() for name in NAME.findall(expression)}
    assert len(named) > 25
    assert named - given - LATER == set()
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    assert {name for one in asked() for name in RECORDED.findall(one)} - recorded == set()


def test_the_dashboard_shows_every_panel_in_a_place_of_its_own() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len({panel["id"] for panel in panels}) == len(places) == len(panels) > 15


def test_every_alert_is_tested_firing_and_quiet_and_stands_in_the_runbook() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    cases = [
        (test["alert_rule_test"][0]["alertname"], bool(test["alert_rule_test"][0]["exp_alerts"]))
        for file in ("alerts_test.yml", "alerts_slow_test.yml")
        for test in yaml.safe_load((FOLDER / file).read_text())["tests"]
    ]
    for alert in (rule["alert"] for rule in rules() if "alert" in rule):
        assert {(alert, True), (alert, False)} <= set(cases), alert
        assert f"`{alert}`" in page


def promtool(*arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is missing: deploy/packages.sh installs it")
    return subprocess.run(
        [found, *arguments], cwd=FOLDER, input=given, capture_output=True, text=True
    )


@pytest.mark.parametrize("file", ["alerts_test.yml", "alerts_slow_test.yml"])
def test_every_alert_fires_when_it_should_and_not_else(file: str) -> None:
    told = promtool("test", "rules", file)
    assert told.returncode == 0, told.stdout + told.stderr


def test_a_wrong_rule_would_be_noticed(tmp_path: Path) -> None:
    for name in ("alerts.yml", "alerts_test.yml"):
        text = (FOLDER / name).read_text()
        (tmp_path / name).write_text(text.replace("seedrate_ready == 0", "seedrate_ready == 2"))
    told = promtool("test", "rules", str(tmp_path / "alerts_test.yml"))
    assert told.returncode != 0
    assert "SeedrateNotReady" in told.stdout + told.stderr


def test_prometheus_takes_the_configuration(tmp_path: Path) -> None:
    for name in ("prometheus.yml", "alerts.yml"):
        shutil.copy(FOLDER / name, tmp_path)
    (tmp_path / "seedrate.key").touch()
    told = promtool("check", "config", str(tmp_path / "prometheus.yml"))
    assert told.returncode == 0, told.stdout + told.stderr


def test_a_servers_metrics_are_in_order(process: str) -> None:
    call(f"{process}/v1/quotes", GOOD)
    told = promtool("check", "metrics", given=call(f"{process}/metrics")[2].decode())
    assert (told.returncode, told.stdout + told.stderr) == (0, "")


def test_a_real_prometheus_reads_a_real_server(process: str, tmp_path: Path) -> None:
    found = shutil.which("prometheus")
    if found is None:
        pytest.skip("prometheus is missing: deploy/packages.sh installs it")
    call(f"{process}/v1/quotes", GOOD)
    text = (FOLDER / "prometheus.yml").read_text()
    text = text.replace("localhost:3000", process.removeprefix("http://")).replace("15s", "1s")
    (tmp_path / "prometheus.yml").write_text(text)
    (tmp_path / "seedrate.key").write_text(KEY)
    shutil.copy(FOLDER / "alerts.yml", tmp_path)
    command = [found, f"--config.file={tmp_path / 'prometheus.yml'}"]
    command += [f"--storage.tsdb.path={tmp_path / 'data'}", "--web.listen-address=127.0.0.1:19090"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        try:
            query = 'seedrate_requests_total{route="/v1/quotes",status="201"}'
            assert float(answered(query)[0]["value"][1]) >= 1
        finally:
            server.terminate()


def answered(query: str) -> list[dict[str, Any]]:
    """Return what Prometheus knows, once it knows something."""
    url = "http://127.0.0.1:19090/api/v1/query?query=" + urllib.parse.quote(query)
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=5) as reply:
                found: list[dict[str, Any]] = json.load(reply)["data"]["result"]
        except OSError:
            found = []
        if found:
            return found
        time.sleep(0.3)
    pytest.fail("Prometheus read nothing")
