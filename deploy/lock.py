"""Write the lock file and, from it, what the server alone needs.

`pyproject.toml` says the ranges; pip resolves them once, without installing anything; the answer is
`requirements.lock` (everything, for `make`) and `serving/requirements.txt` (what a bento installs).
Run it with the oldest Python the project supports, so that no backport is missing: `make lock`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = ("train", "dev")
# A machine may give torch as a CUDA build, whose libraries are torch's own affair; nvidia-ml-py is
# bentoml's, and is reached through it.
CUDA = re.compile(r"^(nvidia-|cuda-|triton)")
WHOLE = """\
# Every version of the environment, made by `make lock` from pyproject.toml. Do not edit by hand.
"""
SERVER = """\
# What the server needs, exported from requirements.lock by `make lock`. Do not edit by hand.
"""


def resolve(requirements: Iterable[str]) -> dict[str, tuple[str, list[str]]]:
    """Return what pip would install: for each name its version and its own requirements."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"]
    command += ["--ignore-installed", "--report", "-", *requirements]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    chosen: dict[str, tuple[str, list[str]]] = {}
    for item in json.loads(answer.stdout)["install"]:
        about = item["metadata"]
        version = Version(about["version"]).public  # 2.13.0+cpu is one machine's build of 2.13.0
        chosen[canonicalize_name(about["name"])] = (version, about.get("requires_dist", []))
    return chosen


def closure(roots: Iterable[str], chosen: Mapping[str, tuple[str, list[str]]]) -> dict[str, str]:
    """Return name -> version of all that the roots need, CUDA libraries of torch left out."""
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [Requirement(root) for root in roots]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        version, needs = chosen[name]
        found[name] = version
        for extra in {"", *wanted.extras} - {extra for of, extra in seen if of == name}:
            seen.add((name, extra))
            for need in map(Requirement, needs):
                applies = need.marker is None or need.marker.evaluate({"extra": extra})
                skipped = name == "torch" and CUDA.match(canonicalize_name(need.name))
                if applies and not skipped:
                    waiting.append(need)
    return found


def write(path: Path, heading: str, versions: Mapping[str, str]) -> None:
    """Write one `name==version` a line, in the order of the names."""
    lines = [f"{name}=={version}\n" for name, version in sorted(versions.items())]
    path.write_text(heading + "".join(lines), encoding="utf-8")
    print(f"{path.relative_to(ROOT)}: {len(lines)} packages")


def main() -> None:
    """Resolve once, write both files."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [one for extra in EXTRAS for one in project["optional-dependencies"][extra]]
    everything = [*project["dependencies"], *extras]
    chosen = resolve(everything)
    write(ROOT / "requirements.lock", WHOLE, closure(everything, chosen))
    write(ROOT / "serving/requirements.txt", SERVER, closure(project["dependencies"], chosen))


if __name__ == "__main__":
    main()
