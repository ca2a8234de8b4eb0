"""Texts of the environment as values; every one that is wrong is noted, so that all are told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from pricing.errors import Fault
from serving.access.jwks import is_source


@dataclass(frozen=True)
class Reader:
    """Reads values out of texts, and notes every one that is not as it must be."""

    text: Mapping[str, str]
    faults: list[Fault]

    def name(self, key: str) -> str:
        """Return letters, digits, dots and dashes."""
        value = self.text[key]
        if not value or not all(letter.isalnum() or letter in "._-" for letter in value):
            self.faults.append(Fault(key, "letters, digits, dots, dashes", repr(value)))
        return value

    def number(self, key: str, *, most: float) -> float:
        """Return a number in (0, most]."""
        try:
            value = float(self.text[key])
        except ValueError:
            value = float("nan")
        if not 0 < value <= most:
            self.faults.append(Fault(key, f"a number in (0, {most:g}]", repr(self.text[key])))
        return value

    def share(self, key: str) -> float:
        """Return a number in [0, 1]."""
        return self.least(key, most=1)

    def least(self, key: str, *, most: float) -> float:
        """Return a number in [0, most], in the unit of the setting."""
        try:
            value = float(self.text[key])
        except ValueError:
            value = float("nan")
        if not 0 <= value <= most:
            self.faults.append(Fault(key, f"a number in [0, {most:g}]", repr(self.text[key])))
        return value

    def count(self, key: str, *, most: int) -> int:
        """Return a whole number in [1, most]."""
        text = self.text[key]
        value = int(text) if text.isascii() and text.isdigit() else 0
        if not 1 <= value <= most:
            self.faults.append(Fault(key, f"a whole number in [1, {most}]", repr(text)))
        return value

    def postgres(self, key: str) -> str | None:
        """Return the address of a PostgreSQL database; None: none is named."""
        text = self.text[key]
        if text and not text.startswith(("postgresql://", "postgres://")):
            self.faults.append(Fault(key, "postgresql://... or empty", "something else"))
        return text or None

    def origin(self, key: str) -> str:
        """Return the name of a log."""
        text = self.text[key]
        if not re.fullmatch(r"[A-Za-z0-9._~/-]{1,200}", text):
            self.faults.append(Fault(key, "letters, digits, dots, dashes, slashes", repr(text)))
        return text

    def hosts(self, key: str) -> frozenset[str]:
        """Return names of hosts, in lower case."""
        names = frozenset(part.strip().lower() for part in self.text[key].split(",")) - {""}
        if not names:
            self.faults.append(Fault(key, "at least one name, or *", repr(self.text[key])))
        return names

    def switch(self, key: str) -> bool:
        """Return whether it is on."""
        return self.one_of(key, ("on", "off")) == "on"

    def source(self, key: str) -> str:
        """Return a path or an address of public keys."""
        text = self.text[key]
        if not is_source(text):
            expected = "a path, https://... or, on this machine, http://..."
            self.faults.append(Fault(key, expected, repr(text)))
        return text

    def one_of(self, key: str, words: tuple[str, ...]) -> str:
        """Return one of a few words."""
        text = self.text[key]
        if text not in words:
            self.faults.append(Fault(key, f"one of {', '.join(words)}", repr(text)))
        return text

    def address(self, key: str) -> str:
        """Return an address without its last slash; empty: none is named."""
        text = self.text[key].rstrip("/")
        if text and not re.fullmatch(r"https?://[^/@\s]+(/\S*)?", text):
            self.faults.append(Fault(key, "http://host:port, https://..., or empty", "another"))
        return text

    def demand(self, *keys: str) -> None:
        """Note those that are not set."""
        self.faults.extend(Fault(key, "set", "''") for key in keys if not self.text[key])

    def database(self, key: str, url: str) -> str:
        """Return a URL that SQLAlchemy reads; what was given may hold a password: never show it."""
        try:
            make_url(url)
        except ArgumentError:
            self.faults.append(Fault(key, "an SQLAlchemy URL, such as sqlite:///f.db", "another"))
        return url
