"""The rules of the house, read off syntax trees: each returns what breaks it, as `file: what`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

MAY_IMPORT: dict[str, set[str]] = {
    "pricing": set(),
    "features": {"pricing"},
    "models": {"pricing", "features"},
    "training": {"pricing", "features", "models"},
    "serving": {"pricing", "features", "models"},
}
ROOMS: dict[str, set[str]] = {
    "bentoml": {"serving/service.py", "benchmarks/echo.py"},
    "mlflow": {"training/track.py", "models/registry.py", "benchmarks/throughput.py"},
}
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
CODE_IN_DATA = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
LONGEST_FILE = 400
# A float's unit is in its name, or the docstring speaks of it by name.
UNITS = re.compile(
    r"(^|_)(bps?|rate|share|ratio|months?|years?|seconds?|eur|cny|millions|pd|lgd|probability|"
    r"fraction|percent|amount|hazard|log_odds|correlation|capital|auc)(_|$)"
)
MACHINE = re.compile(r"(?<![\w.])/(?:root|home|Users|work|opt|mnt)/\w")
TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".sh", ".txt", ".lock", ".svg", ""}


def sources(root: Path) -> Iterator[tuple[str, ast.Module]]:
    """Give every Python file under our folders, as its path below the root and its tree."""
    for folder in MAY_IMPORT:
        for file in sorted((root / folder).rglob("*.py")):
            yield file.relative_to(root).as_posix(), ast.parse(file.read_text(encoding="utf-8"))


def imported(tree: ast.AST) -> set[str]:
    """Return the full names that a tree imports, wherever the import stands."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("." * node.level + (node.module or ""))
    return names


def uphill(root: Path) -> list[str]:
    """Return the imports that climb the staircase, or hide behind a relative name."""
    found = []
    for file, tree in sources(root):
        floor = file.split("/")[0]
        for name in sorted(imported(tree)):
            top = name.split(".")[0]
            ours = top in {*MAY_IMPORT, "tests", "benchmarks", "deploy"}
            if name.startswith(".") or (ours and top not in MAY_IMPORT[floor] | {floor}):
                found.append(f"{file}: imports {name}")
    return found


def out_of_their_room(root: Path) -> list[str]:
    """Return the imports of a framework outside the files that may know it."""
    return [
        f"{file}: imports {name}"
        for file, tree in sources(root)
        for name in sorted(imported(tree))
        for framework, rooms in ROOMS.items()
        if name.split(".")[0] == framework and file not in rooms
    ]


def code_in_data(root: Path) -> list[str]:
    """Return what runs code when a model is read: pickles, and torch.load without its guard."""
    found = []
    for file, tree in sources(root):
        names = imported(tree) & CODE_IN_DATA
        found += [f"{file}: imports {name}" for name in sorted(names)]
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                guard = {word.arg: ast.unparse(word.value) for word in node.keywords}
                if guard.get("weights_only") != "True":
                    found.append(f"{file}:{node.lineno}: torch.load without weights_only=True")
    return found


def too_long(root: Path, most: int = LONGEST_FILE) -> list[str]:
    """Return the files that no reader keeps in mind; `most` is in lines."""
    lengths = {
        file.relative_to(root).as_posix(): file.read_text(encoding="utf-8").count("\n")
        for file in python_files(root)
    }
    return [f"{file}: {lines} lines" for file, lines in lengths.items() if lines > most]


def python_files(root: Path) -> list[Path]:
    """Return every Python file of the project, tests and benchmarks too."""
    folders = (*MAY_IMPORT, "tests", "benchmarks", "deploy")
    return sorted(file for folder in folders for file in (root / folder).rglob("*.py"))


def nameless(root: Path) -> list[str]:
    """Return the files whose name says nothing of what they hold."""
    files = (file.relative_to(root) for file in python_files(root))
    return [file.as_posix() for file in files if file.stem.strip("_") in NAMES_THAT_SAY_NOTHING]


def public_functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Give the functions and methods that others may call, none of the nested ones."""
    bodies: list[list[ast.stmt]] = [tree.body]
    while bodies:
        for node in bodies.pop():
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                bodies.append(node.body)
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if not node.name.startswith("_"):
                yield node


def unexplained(root: Path) -> list[str]:
    """Return the public functions that lack a docstring, an annotation, or a float's unit."""
    found = []
    for file, tree in sources(root):
        for function in public_functions(tree):
            where, said = f"{file}:{function.lineno} {function.name}", ast.get_docstring(function)
            arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
            named = [one for one in arguments if one.arg not in {"self", "cls"}]
            if said is None:
                found.append(f"{where}: no docstring")
            if function.returns is None or any(one.annotation is None for one in named):
                found.append(f"{where}: not annotated")
            found += [
                f"{where}: the unit of {one.arg}, a float"
                for one in named
                if is_float(one) and not (UNITS.search(one.arg) or mentions(said, one.arg))
            ]
    return found


def is_float(argument: ast.arg) -> bool:
    """Say whether an argument is one plain number with a unit."""
    return argument.annotation is not None and "float" in ast.unparse(argument.annotation).split()


def mentions(docstring: str | None, name: str) -> bool:
    """Say whether a docstring speaks of an argument by its name."""
    return docstring is not None and re.search(rf"\b{re.escape(name)}\b", docstring) is not None


def of_one_machine(root: Path) -> list[str]:
    """Return the lines that name a folder of somebody's machine."""
    found = []
    for file in sorted(root.rglob("*")):
        inside = file.relative_to(root)
        left_by_tools = any(part.startswith(".") and part != ".ci" for part in inside.parts)
        left_by_tools |= bool({"var", "__pycache__"} & set(inside.parts))
        if left_by_tools or not file.is_file() or file.suffix not in TEXT:
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if MACHINE.search(line):
                found.append(f"{inside}:{number}: {line.strip()[:80]}")
    return found
