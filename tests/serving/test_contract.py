from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.project import faults as faults_of_project
from features.sets import load
from pricing.errors import InputError
from pricing.schedule import Terms
from serving.contract import Contract, read_batch
from serving.instruments import KINDS
from tests.serving.fakes import COLUMN_SET, REQUEST, request

CONTRACT = Contract.of(COLUMN_SET)


def said(body: Any) -> dict[str, str]:
    """Return field -> "expected | given" of everything wrong with a body."""
    with pytest.raises(InputError) as error:
        CONTRACT.read(body)
    return {fault.field: f"{fault.expected} | {fault.given}" for fault in error.value.faults}


def test_a_sound_request_is_read_as_it_came() -> None:
    asked = CONTRACT.read(REQUEST)
    assert asked.project is REQUEST["project"]
    assert asked.deal.terms == Terms(amount=1_000_000, term_months=36, repayment="linear")
    assert (asked.reference, asked.language) == ("R-1", "en")


def test_what_is_optional_may_be_null_or_absent() -> None:
    asked = CONTRACT.read(
        request(reference=None, language=None, project__cash=None, instrument__grace_months=None)
    )
    assert (asked.reference, asked.language, asked.deal.terms.grace_months) == (None, "en", 0)


def test_every_fault_is_told_at_once() -> None:
    body = request(
        reference="",
        language="fr",
        project__growth="fast",
        project__share=1.5,
        project__staff=1.5,
        project__pledged=1,
        project__sector="mining",
        project__cahs=1,
        project__loan=5,
        instrument__amount=10,
        instrument__term_months=61,
        instrument__repayment="balloon",
        extra=1,
    )
    assert said(body) == {
        "reference": 'text of 1 to 100 characters, or null | ""',
        "language": 'one of en, zh, or null | "fr"',
        "project.growth": 'a finite number | "fast"',
        "project.share": "a finite number from 0 to 1, or null | 1.5",
        "project.staff": "a whole number from 0 to 1000, or null | 1.5",
        "project.pledged": "true or false, or null | 1",
        "project.sector": 'one of biotech, software, or null | "mining"',
        "project.cahs": "absent: there is no such field (did you mean project.cash?) | given",
        "project.loan": "absent: there is no such field here, as it is read from instrument.amount"
        " | given",
        "instrument.amount": "a finite number from 1000 to 1000000000 | 10",
        "instrument.term_months": "a whole number of months, 1 to 60 | 61",
        "instrument.repayment": 'one of bullet, linear, annuity | "balloon"',
        "extra": "absent: there is no such field | given",
    }


def test_what_is_required_is_named_when_it_is_missing() -> None:
    body = request(project__growth=..., instrument__amount=..., instrument__kind=...)
    assert said(body) == {
        "project.growth": "a finite number | missing",
        "instrument.kind": f"one of {', '.join(KINDS)} | missing",
        "instrument.amount": "a finite number from 1000 to 1000000000 | missing",
    }
    assert said(request(project__growth=None)) == {"project.growth": "a finite number | null"}


def test_faults_between_the_terms_are_told_with_the_others() -> None:
    body = request(project__share=2, instrument__grace_months=36)
    assert said(body) == {
        "project.share": "a finite number from 0 to 1, or null | 2",
        "instrument.grace_months": "below term_months=36 | 36",
    }


@pytest.mark.parametrize("body", [None, [], "x", 1, {}, {"project": [], "instrument": 1}])
def test_what_is_no_request_at_all_is_refused_in_words(body: Any) -> None:
    assert all("object" in words for words in said(body).values())


def test_a_long_value_is_told_in_short() -> None:
    assert len(said(request(project__sector="x" * 5000))["project.sector"]) < 200


@pytest.mark.parametrize("count", [3, 3.0])
def test_a_whole_number_may_be_written_with_a_point(count: float) -> None:
    assert CONTRACT.read(request(project__staff=count)).project["staff"] == count


@pytest.mark.parametrize("months", [2, 12.5, "1", True, 0])
def test_payments_come_every_one_three_six_or_twelve_months(months: Any) -> None:
    assert [*said(request(instrument__payment_months=months))] == ["instrument.payment_months"]


def test_a_batch_has_one_to_five_hundred_requests() -> None:
    assert len(read_batch({"quotes": [None] * 500})) == 500
    for size in (0, 501):
        with pytest.raises(InputError, match="1 to 500"):
            read_batch({"quotes": [1] * size})
    strange: list[Any] = [{"quotes": 1}, {}, [], {"quotes": [1], "x": 1}]
    for body in strange:
        with pytest.raises(InputError):
            read_batch(body)


EARLY = load("early_stage")
FULL = Contract.of(EARLY)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-10, 10**10)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["software", "east", "", "x"])
)


@given(project=st.dictionaries(st.sampled_from([*EARLY.names, "unknown"]), scalars, max_size=8))
def test_the_door_and_the_encoder_agree_on_what_is_sound(project: dict[str, Any]) -> None:
    body = {
        "project": project,
        "instrument": {
            "kind": "term_loan",
            "amount": 1e6,
            "term_months": 12,
            "repayment": "linear",
        },
    }
    try:
        FULL.read(body)
        refused: set[str] = set()
    except InputError as error:
        refused = {fault.field for fault in error.faults}
    assert refused == {fault.field for fault in faults_of_project(EARLY, project)}
