"""What the pages say, as data: commands, links and headings, each with the page that says it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COMMAND = re.compile(r"(?:^|\s|`)(?:\S*/)?python -m (training|serving)\b([^`#\n]*)")
MAKE = re.compile(r"(?:^|`)make ([a-z]+)", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(
    r"`((?:pricing|features|models|training|serving|tests|benchmarks|examples|docs|deploy)/[\w./-]*)`"
)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Command:
    """A command of ours as a page prints it."""

    page: str
    module: str
    words: tuple[str, ...]


def pages(root: Path) -> dict[str, str]:
    """Return the text of every page, by its path below the root."""
    files = [*root.glob("*.md"), *(root / "docs").rglob("*.md")]
    return {
        file.relative_to(root).as_posix(): file.read_text(encoding="utf-8")
        for file in sorted(files)
    }


def commands(root: Path) -> Iterator[Command]:
    """Give the commands `python -m training|serving ...` of all pages."""
    for page, text in pages(root).items():
        for module, rest in COMMAND.findall(text.replace("\\\n", " ")):
            yield Command(page, module, tuple(shlex.split(rest.rstrip(".,;: )"), posix=False)))


def broken_commands(root: Path, known: dict[str, dict[str, set[str]]]) -> list[str]:
    """Return the commands that name a subcommand or an option which does not exist.

    Args:
        root: of the project.
        known: module -> subcommand -> its options.
    """
    found = []
    for one in commands(root):
        name, *words = one.words or ("",)
        for part in name.split("|") if name and not name.startswith("-") else ():
            if part not in known[one.module]:
                found.append(f"{one.page}: python -m {one.module} {part}")
                continue
            options = {word.split("=")[0] for word in words if word.startswith("--")}
            unknown = options - known[one.module][part] - {"--help"}
            found += [f"{one.page}: python -m {one.module} {part} {word}" for word in unknown]
    return found


def targets(root: Path) -> set[str]:
    """Return the targets of the Makefile that explain themselves."""
    text = (root / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z]+):.*##", text, re.MULTILINE))


def broken_targets(root: Path) -> list[str]:
    """Return the `make` targets that pages name and the Makefile lacks."""
    named = ((page, name) for page, text in pages(root).items() for name in MAKE.findall(text))
    return [f"{page}: make {name}" for page, name in named if name not in targets(root)]


def broken_links(root: Path) -> list[str]:
    """Return the links between pages that lead nowhere, headings included."""
    texts, found = pages(root), []
    for page, text in texts.items():
        for link in LINK.findall(FENCED.sub("", text)):
            if link.startswith(("https://", "http://", "mailto:")):
                continue
            path, _, anchor = link.partition("#")
            target = (root / page).parent / path if path else root / page
            if not target.exists():
                found.append(f"{page}: {link}")
            elif anchor and anchor not in anchors(target.read_text(encoding="utf-8")):
                found.append(f"{page}: {link}")
    return found


def broken_paths(root: Path) -> list[str]:
    """Return the files and folders of ours that pages name in code and that do not exist."""
    named = ((page, path) for page, text in pages(root).items() for path in PATH.findall(text))
    return [f"{page}: {path}" for page, path in named if not (root / path).exists()]


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as they are made from their words."""
    plain = (heading.lower() for heading in HEADING.findall(FENCED.sub("", text)))
    return {re.sub(r"[^\w\- ]", "", heading).strip().replace(" ", "-") for heading in plain}
