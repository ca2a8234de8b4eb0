from __future__ import annotations

import numpy as np
import pytest

from features.column import Column, Kind
from models.peers import Peers
from models.reasons import Reason, reason

PEERS = Peers.of(np.arange(100.0)[:, None], np.ones(100))
OFFICE = ("Patent office", "专利局")


def column(kind: Kind, unit: str = "months") -> Column:
    return Column(
        name="runway",
        kind=kind,
        unit=unit,
        group="funding",
        source="bank",
        label="Runway",
        label_zh="资金可用月数",
        meaning="How long the cash lasts.",
        meaning_zh="现金还能维持多久。",
        unit_zh="个月",
    )


def why(kind: Kind, value: object, x: float, *, unit: str = "months") -> Reason:
    return reason(column(kind, unit), 1234, value, x=x, peers=PEERS, index=0, source=OFFICE)


def test_a_low_value_says_how_many_peers_are_higher() -> None:
    low = why(Kind.NUMBER, 4, 4.0)
    assert low.code == "runway.low"
    assert low.text("en", "EUR") == "Runway: 4 months, lower than 95% of peers, adds 12.34 bp."
    assert low.text("zh", "EUR") == (
        "资金可用月数：4 个月，低于 95% 的同类项目，使利差增加 12.34 个基点。"
    )


def test_a_high_value_says_how_many_peers_are_lower() -> None:
    high = why(Kind.MONEY, 90.0, 90.0)
    assert high.code == "runway.high"
    assert high.text("en", "EUR") == "Runway: EUR 90, higher than 90% of peers, adds 12.34 bp."


def test_a_ratio_is_said_in_percent() -> None:
    assert "9,000.0 %" in why(Kind.RATIO, 90.0, 90.0).text("en", "EUR")


def test_a_missing_value_names_the_source_that_could_tell() -> None:
    missing = why(Kind.NUMBER, None, float("nan"))
    assert missing.code == "runway.missing"
    assert "Runway: not known (source: Patent office), adds" in missing.text("en", "EUR")
    assert "资金可用月数：未知（来源：专利局），" in missing.text("zh", "EUR")


def test_a_level_the_model_has_not_met_is_said_to_be_unknown_to_it() -> None:
    unseen = why(Kind.CATEGORY, "alchemy", float("nan"))
    assert unseen.code == "runway.missing"
    assert "alchemy is not known to the model" in unseen.text("en", "EUR")


@pytest.mark.parametrize(("value", "word"), [(True, "yes"), (False, "no")])
def test_a_flag_says_how_many_share_it(value: bool, word: str) -> None:
    flag = why(Kind.FLAG, value, 50.0)
    assert flag.code == "runway.is"
    assert flag.text("en", "EUR") == f"Runway: {word}, as for 1% of peers, adds 12.34 bp."


def test_peers_without_a_single_known_value_place_nobody() -> None:
    nobody = Peers.of(np.full((3, 1), np.nan), np.ones(3))
    assert nobody.below(0, 1.0) == 0.0
    assert nobody.above(0, 1.0) == 0.0


def test_a_peer_of_double_weight_counts_twice() -> None:
    peers = Peers.of(np.array([[1.0], [2.0]]), np.array([2.0, 1.0]))
    assert peers.below(0, 2.0) == pytest.approx(2 / 3)
