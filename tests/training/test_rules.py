from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pricing.errors import InputError
from tests.conftest import ROOT
from training import rules

TEXT = rules.EMBEDDED.read_text()


def faults(text: str) -> list[str]:
    with pytest.raises(InputError) as error:
        rules.parse(text.encode())
    return [str(fault) for fault in error.value.faults]


def test_the_embedded_rules_ask_every_gate() -> None:
    ruled = rules.load()
    assert all(getattr(ruled, name) is not None for name in rules.SECTIONS)
    assert ruled.digest == hashlib.sha256(rules.EMBEDDED.read_bytes()).hexdigest()


def test_a_gate_whose_section_is_left_out_is_not_asked(tmp_path: Path) -> None:
    (tmp_path / "gates.toml").write_text('name = "a"\nversion = "1"\nhorizon_months = 12\n')
    ruled = rules.load(tmp_path / "gates.toml")
    assert all(getattr(ruled, name) is None for name in rules.SECTIONS)


def test_every_fault_is_told_at_once() -> None:
    text = """
    version = ""
    horizon_months = 18
    latency = 3
    champions = 1
    [metrics]
    present = ["auc", "beauty"]
    [benchmark]
    auc_worse_by = true
    log_loss_worse_by = nan
    tie = 0
    [calibration]
    observed_over_expected = [1.5, 0.5]
    [monotone]
    projects = 0
    violations = 1.5
    [pack]
    folder = []
    run = ["../card.json"]
    """
    told = faults(text)
    assert [line.partition(" ")[0] for line in told] == [
        "gates.name",
        "gates.version",
        "gates.horizon_months",
        "gates.metrics.present",
        "gates.benchmark.auc_worse_by",
        "gates.benchmark.log_loss_worse_by",
        "gates.benchmark.tie",
        "gates.calibration.observed_over_expected",
        "gates.calibration.slope",
        "gates.calibration.ici_at_most",
        "gates.monotone.projects",
        "gates.monotone.violations",
        "gates.latency",
        "gates.pack.folder",
        "gates.pack.run",
        "gates.champions",
    ]
    assert "gates.horizon_months must be one of 12, 36, 60, however: 18" in told
    assert "however: missing" in told[0]


def test_a_file_that_is_absent_or_no_toml_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="SEEDRATE_GATES must be a TOML file"):
        rules.load(tmp_path / "none.toml")
    assert faults("name =") == [line for line in faults("name =") if "TOML in UTF-8" in line]


def test_a_digest_is_of_every_byte() -> None:
    assert rules.parse(f"{TEXT}\n".encode()).digest != rules.load().digest


def test_every_section_of_the_file_is_on_the_page() -> None:
    page = (ROOT / "docs/promotion.md").read_text(encoding="utf-8")
    assert [name for name in rules.SECTIONS if f"`[{name}]`" not in page] == []
