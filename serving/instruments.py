"""What may be asked of each instrument: its fields, said once, and the deal they make."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from features.column import ColumnSet
from pricing.deal import Deal
from pricing.entry import MOST_MONEY
from pricing.instruments.equity import Equity, Scenarios
from pricing.instruments.guarantee import Guarantee
from pricing.instruments.insurance import Insurance
from pricing.instruments.ma_loan import MaLoan
from pricing.instruments.rd_loan import Milestone, RdLoan
from pricing.instruments.revolving_line import RevolvingLine
from pricing.instruments.term_loan import TermLoan
from pricing.instruments.venture_debt import VentureDebt
from pricing.schedule import Terms
from pricing.valuation import Stage
from pricing.warrant import Warrant
from serving.fields import (
    Field,
    flag,
    nested,
    number,
    of_loan,
    optional,
    rows,
    text,
    whole,
)

Given = Mapping[str, Any]
LEAST = 1e-4  # of a share that is something


@dataclass(frozen=True)
class Kind:
    """An instrument as a request asks for it."""

    name: str
    says: str
    fields: tuple[Field, ...]  # beside `kind`
    deal: Callable[[Given], Deal]  # of what was given; raises InputError

    def told(self, given: Given) -> dict[str, Any]:
        """Return what was understood: every field, with the defaults of those left out."""
        return {"kind": self.name, **{field.name: field.told(given) for field in self.fields}}


def kinds(column_set: ColumnSet) -> tuple[Kind, ...]:
    """Return the instruments, within what a model's columns allow of amount and term."""
    loan = {field.name: field for field in of_loan(column_set)}
    amount, term, payment = loan["amount"], loan["term_months"], loan["payment_months"]
    whole_loan = tuple(loan.values())
    return (
        Kind(
            "term_loan",
            "A loan paid out at once",
            (*whole_loan, *SUPPORT),
            lambda given: TermLoan(_terms(given)),
        ),
        Kind(
            "revolving_line",
            "A limit, drawn and repaid at will",
            (amount, term, payment, *_LINE, *SUPPORT),
            _line,
        ),
        Kind(
            "rd_loan",
            "A loan for research and development, drawn by milestones",
            (*whole_loan, *_RD, *SUPPORT),
            _rd,
        ),
        Kind(
            "ma_loan",
            "A loan for a merger or an acquisition",
            (*whole_loan, *_MA, *SUPPORT),
            lambda given: MaLoan(_terms(given), given["deal_value"], given["controlling"]),
        ),
        Kind(
            "guarantee",
            "A promise to pay a share of a lender's loss, for a fee",
            (*whole_loan, *_GUARANTEE),
            lambda given: Guarantee(_terms(given), given["covered_share"], given.get("loan_rate")),
        ),
        Kind(
            "insurance",
            "A cover of technology insurance, for a premium",
            (amount, term, payment, *_INSURANCE),
            _insurance,
        ),
        Kind(
            "venture_debt",
            "A loan with a warrant",
            (*whole_loan, *_VENTURE, *SUPPORT),
            lambda given: VentureDebt(_terms(given), Warrant(**_known(given["warrant"]))),
        ),
        Kind("equity", "A stake in the firm", (amount, *_equity(term)), _stake),
    )


def _part(name: str, says: str) -> Field:
    return number(name, f"from {LEAST:g} to 1: {says}", low=LEAST, high=1)


def _share(name: str, says: str) -> Field:
    return number(name, f"from 0 to 1: {says}", low=0, high=1)


def _money(name: str, says: str) -> Field:
    return number(name, f"from 0 to {MOST_MONEY:g}: {says}", low=0, high=MOST_MONEY)


SUPPORT = (
    optional(text("scheme", "the name of a scheme of the policy, which shares losses")),
    optional(text("tier", "the borrower's tier, where the scheme tells tiers apart")),
    optional(text("subsidy", "the name of a subsidy or relending of the policy")),
)
_LINE = (
    _part("utilisation", "what is drawn of the limit on average"),
    optional(
        number("commitment_fee_bps", "bp a year on the undrawn part, 0 to 10000", low=0, high=1e4),
        0.0,
    ),
)
_RD = (
    rows(
        "milestones",
        "a list of 1 to 20 milestones, from month 0, whose shares sum to 1",
        (
            whole("month", "the month in which it is drawn, a multiple of payment_months", low=0),
            _part("share", "of the amount"),
            optional(_part("success", "the probability to reach it"), 1),
        ),
        most=20,
    ),
    optional(_money("pledge_value", "the appraised value of what is pledged"), 0.0),
)
_MA = (
    _money("deal_value", "the value of the whole deal, at least the amount"),
    flag("controlling", "true where the acquisition brings control, else false"),
)
_GUARANTEE = (
    _part("covered_share", "of the loan's loss"),
    optional(
        number("loan_rate", "the loan's annual rate, 0 to 1; for an annuity alone", low=0, high=1)
    ),
)
_INSURANCE = (
    text("cover", "the name of a cover of the policy"),
    optional(_share("deductible", "below 1, of every claim"), 0.0),
)
_VENTURE = (
    nested(
        "warrant",
        "an object that says the warrant",
        (
            _part("coverage", "of the loan that exercising it costs"),
            number("years", "from 0.1 to 50 years to expiry", low=0.1, high=50),
            number("volatility", "annual, from 0.01 to 5", low=0.01, high=5),
            optional(
                number("strike_ratio", "strike by share price, 0.01 to 100", low=0.01, high=100),
                1.0,
            ),
            optional(_share("dilution", "below 1, lost to later rounds"), 0.0),
        ),
    ),
)


def _equity(term: Field) -> tuple[Field, ...]:
    most = term.json["maximum"]
    stage = (
        whole("month", "the month in which it is paid", low=0, high=most),
        _money("cost", "what it costs"),
        _part("success", "its technical success"),
    )
    scenarios = (
        _money("success", "the firm's value in success"),
        _money("survival", "its value if it just survives"),
        _money("failure", "its value in failure"),
        _share("success_share", "of the probability to survive"),
    )
    annual = "an annual rate from 0 to 10"
    return (
        _part("ownership", "of the firm that it buys"),
        whole("horizon_months", f"whole months to the exit, 1 to {most}", low=1, high=most),
        number("exit_value", "from 1: the firm's value at the exit", low=1, high=MOST_MONEY),
        number("discount_rate", annual, low=0, high=10),
        optional(
            rows("stages", "a list of at most 20 stages, by month", stage, fewest=0, most=20), []
        ),
        optional(_part("retention", "of the stake left at the exit"), 1.0),
        optional(_share("concession_share", "of the gain that is ceded"), 0.0),
        optional(number("concession_hurdle", annual, low=0, high=10), 0.0),
        optional(nested("scenarios", "an object of values for First Chicago", scenarios)),
        optional(number("vc_target_return", annual, low=0, high=10)),
    )


def _terms(given: Given, **fixed: Any) -> Terms:
    """Return the terms of a loan; null counts as left out."""
    said = {**_known(given), **fixed}
    return Terms(
        amount=said["amount"],
        term_months=int(said["term_months"]),
        repayment=said["repayment"],
        grace_months=int(said.get("grace_months", 0)),
        payment_months=int(said.get("payment_months", 1)),
    )


def _line(given: Given) -> Deal:
    terms = _terms(given, repayment="bullet")
    return RevolvingLine(terms, given["utilisation"], given.get("commitment_fee_bps") or 0.0)


def _rd(given: Given) -> Deal:
    milestones = tuple(
        Milestone(int(one["month"]), one["share"], _or(one.get("success"), 1.0))
        for one in given["milestones"]
    )
    return RdLoan(_terms(given), milestones, given.get("pledge_value") or 0.0)


def _insurance(given: Given) -> Deal:
    terms = _terms(given, repayment="bullet")
    return Insurance(terms, given["cover"], given.get("deductible") or 0.0)


def _stake(given: Given) -> Deal:
    stages: Sequence[Given] = given.get("stages") or ()
    scenarios = given.get("scenarios")
    return Equity(
        amount=given["amount"],
        ownership=given["ownership"],
        horizon_months=int(given["horizon_months"]),
        exit_value=given["exit_value"],
        discount_rate=given["discount_rate"],
        stages=tuple(Stage(int(one["month"]), one["cost"], one["success"]) for one in stages),
        retention=_or(given.get("retention"), 1.0),
        concession_share=given.get("concession_share") or 0.0,
        concession_hurdle=given.get("concession_hurdle") or 0.0,
        scenarios=None if scenarios is None else Scenarios(**scenarios),
        vc_target_return=given.get("vc_target_return"),
    )


def _known(given: Given) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


KINDS = (
    "term_loan",
    "revolving_line",
    "rd_loan",
    "ma_loan",
    "guarantee",
    "insurance",
    "venture_debt",
    "equity",
)
