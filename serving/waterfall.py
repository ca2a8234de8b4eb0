"""A quote on the terminal: the rate as a waterfall, the spread as bars, reasons as sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

BAR = 24  # characters
NAME = 24
SHOWN = 12  # columns; the others are added up in one line
RAISES, LOWERS, PLAIN = "red", "green", "cyan"

NAMES = {
    "ftp": "funding",
    "expected_loss": "expected loss",
    "capital": "capital",
    "opex": "work",
    "margin": "margin",
    "floor_cap": "floor or cap",
    "macro": "economy",
    "rounding": "rounding",
}


def render(quote: Mapping[str, Any]) -> RenderableType:
    """Return a quote's reply, as one can read it.

    Args:
        quote: the JSON body of a reply.
    """
    parts: list[RenderableType] = [_headline(quote), _waterfall(quote), _bars(quote)]
    return Group(*parts, *_reasons(quote), *_missing(quote), _origin(quote))


def render_problem(problem: Mapping[str, Any]) -> RenderableType:
    """Return a refusal, with every fault on its own line."""
    lines = [Text(f"{problem['status']} {problem['title']}", style="bold red")]
    faults = [
        f"{f['field']} must be {f['expected']}, however: {f['given']}" for f in problem["faults"]
    ]
    lines += [Text(_plain(f"  {fault}")) for fault in faults or [problem["detail"]]]
    return Group(*lines)


def _headline(quote: Mapping[str, Any]) -> Text:
    loan = quote["instrument"]
    rate = f"{float(quote['rate']):.4%}".replace("%", " %")
    title = Text.assemble(
        (_plain(quote["reference"] or "quote"), "bold"),
        ": ",
        (rate, "bold"),
        f" a year = funding + {quote['spread_bps']} bp",
    )
    title.append(
        f"\n{loan['amount']:,.0f}, {loan['term_months']} months, {loan['repayment']}; "
        f"default within 12 months {_percent(quote['pd']['12'])}, "
        f"over the term {_percent(quote['pd']['lifetime'])}; "
        f"loss given default {_percent(quote['lgd'])}",
        style="dim",
    )
    return title


def _waterfall(quote: Mapping[str, Any]) -> Table:
    steps = [(NAMES.get(s["name"], s["name"]), float(s["bps"])) for s in quote["waterfall"]]
    total = sum(bps for _, bps in steps)
    ends = _running([bps for _, bps in steps])
    scale = BAR / max(max(map(max, ends)) - min(0.0, *map(min, ends)), 1e-9)
    left = min(0.0, *map(min, ends))
    table = _table("The rate, in basis points")
    for (name, bps), (start, end) in zip(steps, ends, strict=True):
        table.add_row(name, f"{bps:.2f}", _bar(start - left, end - left, scale, PLAIN))
    table.add_row(Text("rate", "bold"), Text(f"{total:.2f}", "bold"), _bar(0, total, scale, "bold"))
    return table


def _bars(quote: Mapping[str, Any]) -> Table:
    rows = [*_contributions(quote["explanation"])]
    reach = max(abs(bps) for _, bps, _ in rows) or 1.0
    table = _table("Why the spread is what it is, in basis points")
    explained = quote["explanation"]
    table.add_row(Text("reference company", "dim"), explained["base_bps"])
    for name, bps, value in rows:
        style = RAISES if bps > 0 else LOWERS
        length = max(1, round(abs(bps) / reach * BAR)) if bps else 0
        table.add_row(name, f"{bps:+.2f}", Text("█" * length, style), value)
    table.add_row(Text("spread", "bold"), Text(explained["total_bps"], "bold"))
    return table


def _contributions(explained: Mapping[str, Any]) -> Iterator[tuple[str, float, str]]:
    """Yield the largest columns, the others as one, and the lines that are no column."""
    items = explained["items"]
    for item in items[:SHOWN]:
        yield item["column"], float(item["bps"]), _value(item)
    if others := items[SHOWN:]:
        yield f"{len(others)} other columns", sum(float(item["bps"]) for item in others), ""
    for line in explained["lines"]:
        if float(line["bps"]):
            yield NAMES.get(line["name"], line["name"]), float(line["bps"]), ""


def _reasons(quote: Mapping[str, Any]) -> Iterator[RenderableType]:
    reasons = quote["explanation"]["reasons"]
    if reasons:
        yield Text("What raises it most", style="bold")
    for reason in reasons:
        yield Padding(Text(f"• {_plain(reason['text'])}"), (0, 0, 0, 1))


def _missing(quote: Mapping[str, Any]) -> Iterator[RenderableType]:
    missing = quote["missing_sources"]
    if missing:
        yield Text("Sources of which nothing is known (part of the columns above)", style="bold")
    for source in missing:
        yield Text(f" • {source['source']}: {float(source['bps']):+.2f} bp")


def _origin(quote: Mapping[str, Any]) -> Text:
    model, policy = quote["model"], quote["policy"]
    kept = f"recorded as {quote['quote_id']}" if quote["recorded"] else "a what-if, not recorded"
    return Text(
        f"{kept}; model {model['name']} {model['version']} ({model['digest'][:12]}), "
        f"policy {policy['name']} {policy['version']} ({policy['digest'][:12]})",
        style="dim",
    )


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column(min_width=NAME, no_wrap=True)
    table.add_column(min_width=9, justify="right", no_wrap=True)
    table.add_column(min_width=BAR, no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis")
    table.show_header = False
    return table


def _running(steps: Sequence[float]) -> list[tuple[float, float]]:
    """Return where each step starts and ends.

    >>> _running([250.0, 50.0, -20.0])
    [(0.0, 250.0), (250.0, 300.0), (300.0, 280.0)]
    """
    ends: list[tuple[float, float]] = []
    at = 0.0
    for step in steps:
        ends.append((at, at + step))
        at += step
    return ends


def _bar(start: float, end: float, scale: float, style: str) -> Text:
    low, high = sorted((start, end))
    before = round(low * scale)
    length = max(round(high * scale) - before, 1) if high > low else 0
    return Text(" " * before + "█" * length, style=style)


def _percent(fraction: str) -> str:
    return f"{float(fraction):.2%}".replace("%", " %")


def _value(item: Mapping[str, Any]) -> str:
    value = item["value"]
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:,.6g} {_plain(item['unit'])}" if abs(value) < 1e6 else f"{value:,.0f}"
    return _plain(str(value))


def _plain(text: str) -> str:
    """Return a text that cannot steer the terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
