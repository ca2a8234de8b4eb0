"""A quote on the terminal: the price as a waterfall, its causes as bars, reasons as sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

BAR = 24  # characters
NAME = 24
SHOWN = 12  # columns; the others are added up in one line
WORSE, BETTER, PLAIN = "red", "green", "cyan"

NAMES = {  # of lines; the others are read as they are written
    "ftp": "funding",
    "opex": "work",
    "floor_cap": "floor or cap",
    "macro": "economy of late",
    "thin_data": "thin data",
    "scheme_loss": "loss others pay",
    "scheme_capital": "capital it frees",
    "scheme_fee": "fee of the scheme",
}
FRACTIONS = {  # details that are read in percent
    "raroc": "return on capital",
    "loss_at_default": "loss at default",
    "eir": "effective rate",
    "pd_through_the_cycle": "PD through the cycle",
}


class Figure(NamedTuple):
    """How a figure is spoken of."""

    name: str
    whole: str  # what all lines together are
    per: str
    costs: bool = True  # the client pays it, so that less is better


FIGURES = {
    "spread_bps": Figure("spread", "rate", "a year = funding + {} bp"),
    "fee_bps": Figure("fee", "fee", "a year of the loan outstanding, a fee of {} bp"),
    "premium_bps": Figure("premium", "premium", "a year of the sum insured, a premium of {} bp"),
    "value_bps": Figure("value", "value", "of the investment, a value of {} bp beyond it", False),
}


def render(quote: Mapping[str, Any]) -> RenderableType:
    """Return a quote's reply, as one can read it.

    Args:
        quote: the JSON body of a reply.
    """
    figure = next(name for name in FIGURES if name in quote)
    of = FIGURES[figure]
    parts: list[RenderableType] = [_headline(quote, figure), _waterfall(quote, of)]
    parts += [_bars(quote, of), *_reasons(quote), *_missing(quote), *_support(quote)]
    return Group(*parts, *_details(quote), _origin(quote))


def render_problem(problem: Mapping[str, Any]) -> RenderableType:
    """Return a refusal, with every fault on its own line."""
    lines = [Text(f"{problem['status']} {problem['title']}", style="bold red")]
    faults = [
        f"{f['field']} must be {f['expected']}, however: {f['given']}" for f in problem["faults"]
    ]
    lines += [Text(_plain(f"  {fault}")) for fault in faults or [problem["detail"]]]
    return Group(*lines)


def _headline(quote: Mapping[str, Any], figure: str) -> Text:
    charged = float(quote[figure])
    share = float(quote["rate"]) if "rate" in quote else 1 + charged / 1e4
    title = Text.assemble(
        (_plain(quote["reference"] or "quote"), "bold"),
        ": ",
        (f"{share:.4%}".replace("%", " %"), "bold"),
        " ",
        FIGURES[figure].per.format(quote[figure]),
    )
    title.append(f"\n{_deal(quote['instrument'])}; {_risk(quote)}", style="dim")
    title.append(f"\n{_doubt(quote['interval'], figure)}", style="dim")
    return title


def _deal(asked: Mapping[str, Any]) -> str:
    """Return what is priced in a few words.

    >>> _deal({"kind": "equity", "amount": 5e6, "horizon_months": 60})
    'equity of 5,000,000, 60 months'
    """
    months = asked.get("term_months", asked.get("horizon_months"))
    said = f"{_words(asked['kind'])} of {asked['amount']:,.0f}, {months} months"
    return f"{said}, {asked['repayment']}" if "repayment" in asked else said


def _risk(quote: Mapping[str, Any]) -> str:
    pd = quote["pd"]
    return (
        f"grade {quote['grade']}: default within 12 months {_percent(pd['12'])}, "
        f"over the term {_percent(pd['lifetime'])}; "
        f"loss given default {_percent(quote['lgd'])}"
    )


def _doubt(interval: Mapping[str, Any], figure: str) -> str:
    low, high = (end if end is not None else "no price" for end in interval[figure])
    ends = [_percent(end) if end is not None else "unknown" for end in interval["pd_lifetime"]]
    return (
        f"{interval['level']:.0%} interval: {low} to {high} bp before floor, cap and support, "
        f"default {ends[0]} to {ends[1]}"
    ).replace("%", " %", 1)


def _waterfall(quote: Mapping[str, Any], of: Figure) -> Table:
    steps = [(_name(s["name"]), float(s["bps"])) for s in quote["waterfall"]]
    total = sum(bps for _, bps in steps)
    ends = _running([bps for _, bps in steps])
    left = min(0.0, *map(min, ends))
    scale = BAR / max(max(map(max, ends)) - left, 1e-9)
    table = _table(f"The {of.whole}, in basis points")
    for (name, bps), (start, end) in zip(steps, ends, strict=True):
        table.add_row(name, f"{bps:.2f}", _bar(start - left, end - left, scale, PLAIN))
    bar = _bar(-left, total - left, scale, "bold")
    table.add_row(Text(of.whole, "bold"), Text(f"{total:.2f}", "bold"), bar)
    return table


def _bars(quote: Mapping[str, Any], of: Figure) -> Table:
    rows = [*_contributions(quote["explanation"])]
    reach = max((abs(bps) for _, bps, _ in rows), default=0.0) or 1.0
    table = _table(f"Why the {of.name} is what it is, in basis points")
    explained = quote["explanation"]
    table.add_row(Text("reference company", "dim"), explained["base_bps"])
    for name, bps, value in rows:
        style = WORSE if (bps > 0) == of.costs else BETTER
        length = max(1, round(abs(bps) / reach * BAR)) if bps else 0
        table.add_row(name, f"{bps:+.2f}", Text("█" * length, style), value)
    table.add_row(Text(of.name, "bold"), Text(explained["total_bps"], "bold"))
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
            yield _name(line["name"]), float(line["bps"]), ""


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


def _support(quote: Mapping[str, Any]) -> Iterator[RenderableType]:
    support = quote["details"].get("support")
    if support is None:
        return
    named = [support.get("scheme"), (support.get("programme") or {}).get("name")]
    names = " and ".join(_words(name) for name in named if name)
    yield Text(f"With {names}: {support['before_bps']} bp before, {support['after_bps']} after")
    if payers := support.get("expected_loss_payers"):
        table = _table("Who pays the expected loss, in basis points")
        for leg in payers:
            table.add_row(_plain(leg["payer"]), leg["bps"], _words(leg["role"]))
        yield table


def _details(quote: Mapping[str, Any]) -> Iterator[RenderableType]:
    """Yield what only this instrument has to say."""
    told = {name: value for name, value in quote["details"].items() if name != "support"}
    told |= told.pop("ecl", {})
    if not told:
        return
    table = _table("Beside the price")
    for name, value in told.items():
        if name in FRACTIONS:
            table.add_row(FRACTIONS[name], _percent(value))
        else:
            table.add_row(_words(name), f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.0f}")
    yield table


def _origin(quote: Mapping[str, Any]) -> Text:
    model, policy = quote["model"], quote["policy"]
    kept = f"recorded as {quote['quote_id']}" if quote["recorded"] else "a what-if, not recorded"
    asked = "".join(f", {name} {bps:g} as asked" for name, bps in policy["overrides"].items())
    return Text(
        f"{kept}; model {model['name']} {model['version']} ({model['digest'][:12]}), "
        f"policy {policy['name']} {policy['version']} ({policy['digest'][:12]}){asked}",
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


def _name(line: str) -> str:
    return NAMES.get(line, _words(line))


def _words(name: str) -> str:
    return _plain(name.replace("_", " "))


def _percent(fraction: str | float) -> str:
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
