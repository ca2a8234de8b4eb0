"""What pages say, in two languages: a catalogue a language, and which of them a visitor reads."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from features.column import Column
from models.reasons import Language
from serving.console.phrases import phrase

FOLDER = Path(__file__).parent / "words"
LANGUAGES: Mapping[Language, str] = {"en": "English", "zh": "简体中文"}  # by their own names
TAGS: Mapping[Language, str] = {"en": "en", "zh": "zh-Hans"}


@dataclass(frozen=True)
class Words:
    """One language's catalogue, by dotted key."""

    language: Language
    texts: Mapping[str, str]

    @property
    def tag(self) -> str:
        """Return the language as HTML names it."""
        return TAGS[self.language]

    def __call__(self, key: str, **values: object) -> str:
        """Return a text with its values put in.

        Raises:
            KeyError: the catalogue lacks it.
        """
        text = self.texts[key]
        return text.format(**values) if values else text

    def name(self, family: str, word: str) -> str:
        """Return the name of something that data names; a word that nobody foresaw stays itself.

        Args:
            family: the part of the catalogue, such as `line`.
            word: as data has it, such as `expected_loss`.
        """
        return self.texts.get(f"{family}.{word}", word.replace("_", " "))

    def level(self, column: Column | None, level: str) -> str:
        """Return what a level of a category is called; without its column, as any choice is."""
        if column is not None and self.language == "zh":
            level = column.level_in_chinese(level)
        return self.name("choice", level)

    def said(self, text: str) -> str:
        """Return a sentence of the rest of the program in this language, if that is known."""
        return phrase(text, self.language)


@cache
def catalogue(language: Language) -> Words:
    """Return the catalogue of a language."""
    content = (FOLDER / f"{language}.toml").read_text(encoding="utf-8")
    return Words(language, flat(tomllib.loads(content)))


def flat(table: Mapping[str, Any], before: str = "") -> dict[str, str]:
    """Return nested tables as one, keys joined by dots.

    >>> flat({"nav": {"quotes": "Quotes"}})
    {'nav.quotes': 'Quotes'}
    """
    texts: dict[str, str] = {}
    for key, value in table.items():
        texts |= (
            flat(value, f"{before}{key}.") if isinstance(value, dict) else {before + key: value}
        )
    return texts


def chosen(asked: str | None, kept: str | None, accepted: str | None) -> Language:
    """Return the language to speak: the one asked for, else kept, else the browser's first.

    Args:
        asked: in the address.
        kept: in the cookie.
        accepted: the header Accept-Language.

    >>> chosen(None, None, "fr, zh-CN;q=0.9, en;q=0.8"), chosen("en", "zh", None)
    ('zh', 'en')
    """
    for wish in (asked, kept, *_by_weight(accepted or "")):
        for language in LANGUAGES:
            if wish and wish.partition("-")[0] == language:
                return language
    return "en"


def _by_weight(accepted: str) -> list[str]:
    weighed = []
    for part in accepted.lower().split(",")[:20]:
        tag, _, weight = part.partition(";q=")
        try:
            weighed.append((-float(weight or 1), tag.strip()))
        except ValueError:
            continue
    return [tag for _, tag in sorted(weighed, key=lambda pair: pair[0])]
