"""The nearest cheaper alternatives of a request, each priced by the very pricer that quotes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from models.cheaper import Alternative, cheaper
from models.pricer import Pricer, Request
from pricing.errors import SeedrateError
from serving.access.caller import Caller
from serving.desk import Desk
from serving.terminal import FIGURES

Body = Mapping[str, Any]


def alternatives(desk: Desk, body: Body, caller: Caller, now: datetime) -> list[Alternative]:
    """Return what could be changed for a better price, the least effort first.

    Args:
        desk: whose model says what is movable.
        body: a sound request.
        caller: whose bounds of the policy hold.
        now: decides what support there is.
    """
    pricer, contract = desk.pricer, desk.contract
    if not isinstance(pricer, Pricer):
        return []
    columns = pricer.model.column_set.columns

    def price(values: Mapping[str, object]) -> int | None:
        try:
            asked = contract.read(moved(body, values, terms))
            support = asked.support(now.date())
            request = Request(
                asked.project, asked.deal, support, asked.overrides, caller=caller.tenant
            )
            found = pricer.figure(request)
        except SeedrateError:  # such a project is not priced
            return None
        return found.total if FIGURES[found.of].costs else -found.total

    terms = {column.name: column.terms for column in columns if column.terms}
    asked = contract.read(body)
    lent = {name: asked.instrument.get(term) for name, term in terms.items()}
    known = {**asked.project, **lent}  # what an instrument does not have is not known, nor moved
    return cheaper(pricer.model.column_set, pricer.model.peers, known, price)


def moved(body: Body, values: Mapping[str, object], terms: Mapping[str, str]) -> dict[str, Any]:
    """Return a request with other values of columns.

    Args:
        body: the request.
        values: by column.
        terms: the field of the instrument, by column, of those that are read from it.

    >>> asked = {"project": {"age": 1}, "instrument": {"amount": 5}}
    >>> moved(asked, {"age": 2, "lent": 4}, {"lent": "amount"})
    {'project': {'age': 2}, 'instrument': {'amount': 4}}
    """
    project = {name: value for name, value in values.items() if name not in terms}
    instrument = {terms[name]: value for name, value in values.items() if name in terms}
    return {
        **body,
        "project": {**body["project"], **project},
        "instrument": {**body["instrument"], **instrument},
    }
