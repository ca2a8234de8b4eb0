"""What the rest of the program says in English, told in the reader's language by sentences.

Prices, contracts and gates speak English alone, in sentences of a few shapes. A file of
serving/console/words has the shapes and what each is in another language; what fills their holes is
told in the same way. A sentence of which no shape is known stays as it is.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "words"
_HOLE = re.compile(r"\\{(\w+)\\}")  # as re.escape leaves it


@cache
def _shapes(language: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    path = FOLDER / f"phrases_{language}.toml"
    told: Mapping[str, str] = tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}
    return tuple((shape(english), other) for english, other in told.items())


def shape(english: str) -> re.Pattern[str]:
    """Return what finds a sentence with holes, such as `at most {most}`, again."""
    return re.compile(_HOLE.sub(r"(?P<\1>.+?)", re.escape(english)), re.DOTALL)


def phrase(text: str, language: str) -> str:
    """Return a sentence in a language.

    >>> phrase("a whole number from 0 to 99, or null", "zh")
    '0 至 99 之间的整数，或留空'
    >>> phrase("a whole number from 0 to 99", "en"), phrase("who knows", "zh")
    ('a whole number from 0 to 99', 'who knows')
    """
    for pattern, other in _shapes(language):
        if found := pattern.fullmatch(text):
            return other.format(**{k: phrase(v, language) for k, v in found.groupdict().items()})
    return text
