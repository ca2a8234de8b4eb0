from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests import house
from tests.conftest import ROOT

Rule = Callable[[Path], list[str]]


@pytest.mark.parametrize(
    "rule",
    [
        house.uphill,
        house.out_of_their_room,
        house.code_in_data,
        house.too_long,
        house.nameless,
        house.unexplained,
        house.of_one_machine,
    ],
)
def test_the_house_keeps_its_rules(rule: Rule) -> None:
    assert rule(ROOT) == []


@pytest.mark.parametrize(
    ("rule", "file", "text", "breach"),
    [
        (house.uphill, "pricing/loan.py", "import serving", "imports serving"),
        (house.uphill, "serving/desk.py", "from training.fit import fit", "imports training.fit"),
        (house.uphill, "training/fit.py", "import serving.app as a", "imports serving.app"),
        (house.uphill, "features/sets.py", "def f():\n    import models.tree", "imports models"),
        (house.uphill, "models/tree.py", "from . import leaves", "imports ."),
        (house.uphill, "models/tree.py", "import tests.models", "imports tests.models"),
        (house.out_of_their_room, "serving/app.py", "import bentoml", "imports bentoml"),
        (house.out_of_their_room, "training/fit.py", "from mlflow.x import y", "imports mlflow.x"),
        (house.code_in_data, "models/net.py", "import pickle", "imports pickle"),
        (
            house.code_in_data,
            "models/net.py",
            "import torch\ntorch.load(f)",
            "without weights_only",
        ),
        (house.too_long, "pricing/loan.py", "\n" * 401, "401 lines"),
        (house.nameless, "features/utils.py", "", "utils"),
        (house.nameless, "tests/_helpers.py", "", "_helpers"),
        (house.unexplained, "pricing/a.py", "def f(x: int) -> int: ...", "no docstring"),
        (house.unexplained, "pricing/a.py", "class A:\n def f(self):\n  'F.'", "not annotated"),
        (
            house.unexplained,
            "pricing/a.py",
            "def f(x: float) -> None:\n  'Loss.'",
            "the unit of x",
        ),
        (house.of_one_machine, "README.md", "see " + "/".join(["", "home", "me"]), "README.md:1"),
    ],
)
def test_every_rule_can_be_broken(
    tmp_path: Path, rule: Rule, file: str, text: str, breach: str
) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)
    assert any(breach in line for line in rule(tmp_path)), rule(tmp_path)


@pytest.mark.parametrize("folder", house.MAY_IMPORT)
def test_a_folders_name_means_ours(folder: str) -> None:
    module = importlib.import_module(folder)
    assert module.__file__ is not None
    assert Path(module.__file__).parent == ROOT / folder


def test_a_foreign_models_would_be_noticed(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/__init__.py").touch()
    program = "import models; print(models.__file__)"
    paths = f"{tmp_path}{os.pathsep}{ROOT}"
    seen = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": paths},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert Path(seen.strip()).parent != ROOT / "models"


def test_a_pricing_desk_starts_without_what_takes_seconds_to_import() -> None:
    program = (
        "import sys, serving.desk, serving.app, models.pricer\n"
        "slow = {'bentoml', 'mlflow', 'torch', 'shap', 'lightgbm', 'sklearn', 'scipy.special'}\n"
        "print(slow & set(sys.modules))"
    )
    seen = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert seen == "set()\n"


PIN = re.compile(r"^([a-z0-9.-]+)==([0-9][a-z0-9.]*)$")


def pins(path: str) -> dict[str, str]:
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    matches = [PIN.match(line) for line in lines if not line.startswith("#")]
    assert None not in matches, f"{path} holds a line that is not name==version"
    return {match[1]: match[2] for match in matches if match}


def test_the_server_installs_what_the_lock_says() -> None:
    assert pins("serving/requirements.txt").items() <= pins("requirements.lock").items()
    assert "torch" not in pins("serving/requirements.txt")


@pytest.mark.parametrize(
    ("folders", "file"),
    [
        (["pricing", "features", "models", "serving"], "serving/requirements.txt"),
        (list(house.MAY_IMPORT), "requirements.lock"),
    ],
)
def test_every_import_is_in_the_list_that_installs_it(folders: list[str], file: str) -> None:
    assert missing(folders, file) == {}


def test_a_missing_package_would_be_noticed() -> None:
    assert "torch" in missing(["training"], "serving/requirements.txt")


def missing(folders: list[str], file: str) -> dict[str, str]:
    """Return import -> the file that needs it, for all that the list does not install."""
    installed = {name for name in pins(file)}
    distributions = packages_distributions()
    return {
        top: path
        for path, tree in house.sources(ROOT)
        for top in {name.split(".")[0] for name in house.imported(tree)}
        if path.split("/")[0] in folders
        and top not in {*sys.stdlib_module_names, *house.MAY_IMPORT}
        and not any(normal(one) in installed for one in distributions.get(top, [top]))
    }


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
