from __future__ import annotations

import doctest
import importlib
import json
import re
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from serving.doors import DOORS
from serving.problem import PROBLEMS
from serving.settings import SETTINGS
from tests import prose
from tests.conftest import ROOT
from tests.house import python_files

SETTING = re.compile(r"SEEDRATE_[A-Z_]+[A-Z]")


def known_commands() -> dict[str, dict[str, set[str]]]:
    return {module: options_of(module) for module in ("training", "serving")}


def options_of(module: str) -> dict[str, set[str]]:
    """Return subcommand -> the options it takes, or that the commands below it take."""
    parts = vars(importlib.import_module(f"{module}.__main__")).values()
    group = get_command(next(part for part in parts if isinstance(part, typer.Typer)))
    return {
        name: {
            option
            for one in getattr(command, "commands", {"": command}).values()
            for parameter in one.params
            for option in parameter.opts
        }
        for name, command in group.commands.items()  # type: ignore[attr-defined]  # a click group
    }


def test_every_command_that_a_page_names_exists() -> None:
    assert prose.broken_commands(ROOT, known_commands()) == []
    assert {one.module for one in prose.commands(ROOT)} == {"training", "serving"}


def test_every_make_target_that_a_page_names_exists() -> None:
    assert prose.broken_targets(ROOT) == []


def test_every_link_between_pages_leads_somewhere() -> None:
    assert prose.broken_links(ROOT) == []


def test_every_file_that_a_page_names_exists() -> None:
    assert prose.broken_paths(ROOT) == []


@pytest.mark.parametrize(
    ("text", "breach"),
    [
        ("`python -m serving fly`", "python -m serving fly"),
        (".venv/bin/python -m serving quote x.json --loud", "--loud"),
    ],
)
def test_a_wrong_command_would_be_noticed(tmp_path: Path, text: str, breach: str) -> None:
    (tmp_path / "README.md").write_text(text)
    known = {"serving": {"quote": {"--json"}}, "training": dict[str, set[str]]()}
    assert any(breach in line for line in prose.broken_commands(tmp_path, known))


def test_a_wrong_link_or_target_would_be_noticed(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("test: ## run\n")
    (tmp_path / "README.md").write_text("# One\n`make fly` [a](b.md) [c](#two) [d](#one)")
    (tmp_path / "CHANGELOG.md").write_text("`pricing/fly.py`")
    assert prose.broken_paths(tmp_path) == ["CHANGELOG.md: pricing/fly.py"]
    assert prose.broken_targets(tmp_path) == ["README.md: make fly"]
    assert prose.broken_links(tmp_path) == ["README.md: b.md", "README.md: #two"]


def test_every_setting_is_documented_and_every_documented_setting_is_read() -> None:
    page = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    declared = {setting.name for setting in SETTINGS}
    assert declared <= set(SETTING.findall(page))
    files = [*python_files(ROOT), ROOT / "Makefile", ROOT / "examples/demo.sh"]
    ours = [file for file in files if "tests" not in file.relative_to(ROOT).parts]
    used = {name for file in ours for name in SETTING.findall(file.read_text(encoding="utf-8"))}
    assert used <= set(SETTING.findall(page))
    assert set(SETTING.findall(page)) <= used | {"SEEDRATE_DATA"}  # the tests read that one


def test_every_address_and_every_refusal_is_documented() -> None:
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    assert [door.path for door in DOORS if door.path not in page] == []
    assert [problem.code for problem in PROBLEMS if f"`{problem.code}`" not in page] == []


def test_the_readme_names_every_address_of_the_first_version() -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [door.path for door in DOORS if door.ours and door.path.split("/{")[0] not in page] == []


@pytest.mark.parametrize("page", ["method", "instruments"])
def test_a_page_computes_what_it_prints(page: str) -> None:
    failed, tried = doctest.testfile(str(ROOT / f"docs/{page}.md"), module_relative=False)
    assert (failed, tried > 10) == (0, True)


def test_the_index_of_decisions_is_complete() -> None:
    folder = ROOT / "docs/decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    pages = [page.name for page in folder.glob("[0-9]*.md")]
    assert [page for page in pages if f"({page})" not in index] == []
    for page in pages:
        text = (folder / page).read_text(encoding="utf-8")
        assert all(part in text for part in ("**Context.**", "**Choice.**", "**Price.**")), page


def test_the_examples_of_the_readme_are_the_files_of_the_folder() -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"examples/(\w+\.json)", page))
    assert named
    for name in named:
        json.loads((ROOT / "examples" / name).read_text(encoding="utf-8"))
