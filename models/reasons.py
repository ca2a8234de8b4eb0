"""The (at most) four columns that raise a price most, in a sentence, in English and Chinese."""

from __future__ import annotations

from typing import Literal, NamedTuple

from features.column import Column, Kind
from models.peers import Peers

Language = Literal["en", "zh"]
MOST = 4


class Reason(NamedTuple):
    """Why a price is higher than the reference's: one column, its basis points, its place.

    Attributes:
        code: stable, "<column>.<low|high|missing|is>"; what a bank may match on.
        hundredths: how much the column adds, in 0.01 bp; > 0.
        value: as the caller gave it; None where missing.
        share: of peers below (low, high) or with the same value (is), in [0, 1]; 0 where missing.
    """

    code: str
    column: Column
    hundredths: int
    value: object
    share: float
    source: tuple[str, str]  # its title in English, in Chinese

    def text(self, language: Language, currency: str) -> str:
        """Return the sentence, with the value in its unit and basis points to one hundredth."""
        return _chinese(self, currency) if language == "zh" else _english(self, currency)


def reason(
    column: Column,
    hundredths: int,
    value: object,
    *,
    x: float,
    peers: Peers,
    index: int,
    source: tuple[str, str],
) -> Reason:
    """Return the reason of one column.

    Args:
        column: what the value means.
        hundredths: what it adds, in 0.01 bp.
        value: as the caller gave it.
        x: its encoded value; NaN where missing or not known to the model.
        peers: where values stand.
        index: the column's place in the model.
        source: the title of the column's source.
    """
    if x != x:
        kind, share = "missing", 0.0
    elif column.kind in (Kind.CATEGORY, Kind.FLAG):
        kind, share = "is", peers.same(index, x)
    else:
        below, above = peers.below(index, x), peers.above(index, x)
        kind, share = ("low", above) if above >= below else ("high", below)
    return Reason(f"{column.name}.{kind}", column, hundredths, value, share, source)


def said(column: Column, value: object, language: Language, currency: str) -> str:
    """Return a value in words: money with its currency, shares in percent, or with its unit."""
    if value is None:
        return "未知" if language == "zh" else "not known"
    if column.kind is Kind.FLAG:
        return {"en": ("no", "yes"), "zh": ("否", "是")}[language][bool(value)]
    if isinstance(value, str):
        return column.level_in_chinese(value) if language == "zh" else value
    number = float(str(value))
    match column.kind:
        case Kind.MONEY:
            return f"{currency} {number:,.0f}"
        case Kind.RATIO:
            return f"{number * 100:,.1f} %"
        case Kind.COUNT:
            return f"{number:,.0f}"
        case _:
            unit = column.unit_zh if language == "zh" and column.unit_zh else column.unit
            return f"{number:,.6g} {unit}"


def _english(r: Reason, currency: str) -> str:
    adds = f"adds {r.hundredths / 100:.2f} bp"
    match r.code.rpartition(".")[2]:
        case "missing" if r.value is None:
            return f"{r.column.label}: not known (source: {r.source[0]}), {adds}."
        case "missing":
            return f"{r.column.label}: {r.value} is not known to the model, {adds}."
        case "is":
            return (
                f"{r.column.label}: {said(r.column, r.value, 'en', currency)}, "
                f"as for {r.share:.0%} of peers, {adds}."
            )
        case side:
            word = "lower" if side == "low" else "higher"
            return (
                f"{r.column.label}: {said(r.column, r.value, 'en', currency)}, "
                f"{word} than {r.share:.0%} of peers, {adds}."
            )


def _chinese(r: Reason, currency: str) -> str:
    adds = f"使利差增加 {r.hundredths / 100:.2f} 个基点。"
    label = r.column.label_zh
    match r.code.rpartition(".")[2]:
        case "missing" if r.value is None:
            return f"{label}：未知（来源：{r.source[1]}），{adds}"
        case "missing":
            return f"{label}：模型不认识“{r.value}”，{adds}"
        case "is":
            value = said(r.column, r.value, "zh", currency)
            return f"{label}：{value}，与 {r.share:.0%} 的同类项目相同，{adds}"
        case side:
            value = said(r.column, r.value, "zh", currency)
            word = "低于" if side == "low" else "高于"
            return f"{label}：{value}，{word} {r.share:.0%} 的同类项目，{adds}"
