"""Draw docs/quote.svg, the picture of the README, from a reply of the server: `make picture`."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import orjson
from rich.console import Console

from serving.terminal import render

PICTURE = Path(__file__).resolve().parent / "quote.svg"
WIDTH = 100  # characters


def draw(reply: bytes) -> str:
    """Return a quote's reply as SVG, with fonts of the reader's own and no outside address."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), highlight=False)
    console.print(render(orjson.loads(reply)))
    svg = console.export_svg(title="seedrate", unique_id="quote")
    return re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)


if __name__ == "__main__":
    PICTURE.write_text(draw(sys.stdin.buffer.read()), encoding="utf-8")
