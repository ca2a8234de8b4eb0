"""What a server says of its model: its card, and the dictionary of its columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import orjson

from features.column import Column, ColumnSet
from models.hazard import HazardModel
from pricing.override import ANYONE
from pricing.policy import Policy
from pricing.support.dated import Dated
from pricing.support.scheme import Scheme
from serving.instruments import KINDS


@dataclass(frozen=True)
class Identity:
    """Which model and which policy a server quotes with."""

    name: str
    version: str
    digest: str

    @classmethod
    def of(cls, model: HazardModel) -> Identity:
        """Return a model's identity."""
        return cls(model.name, str(model.card.get("version", "")), model.digest)


def model_documents(model: HazardModel, policy: Policy) -> Mapping[str, bytes]:
    """Return for each caller that the policy names what it is told of the model, as JSON."""
    callers = {ANYONE, *policy.overrides.by_caller}
    return {caller: model_document(model, policy, caller) for caller in callers}


def told_to(caller: str, documents: Mapping[str, bytes]) -> bytes:
    """Return the document of a caller; nobody sees the bounds of another."""
    return documents.get(caller, documents[ANYONE])


def model_document(model: HazardModel, policy: Policy, caller: str) -> bytes:
    """Return the card of the model and the policy a caller is quoted under, as JSON."""
    identity = Identity.of(model)
    return orjson.dumps(
        {
            "name": identity.name,
            "version": identity.version,
            "digest": identity.digest,
            "column_set": {
                "name": model.column_set.name,
                "version": model.column_set.version,
                "currency": model.column_set.currency,
            },
            "policy": _policy(policy, caller),
            "card": dict(model.card),
        }
    )


def _policy(policy: Policy, caller: str) -> dict[str, Any]:
    """Return what a caller may ask of a policy, by the names that a request gives."""
    return {
        "name": policy.name,
        "version": policy.version,
        "digest": policy.digest,
        "currency": policy.currency,
        "kinds": [kind for kind in KINDS if policy.offers.has(kind)],
        "covers": list(policy.offers.insurance),
        "schemes": [
            {**_dated(scheme), "tiers": list(scheme.tiers), "payers": _payers(scheme)}
            for scheme in policy.schemes
        ],
        "subsidies": [
            {**_dated(programme), "payer": programme.payer} for programme in policy.subsidies
        ],
        "overrides": {
            name: list(bounds) for name, bounds in policy.overrides.bounds(caller).items()
        },
    }


def _dated(item: Dated) -> dict[str, Any]:
    return {shown.name: getattr(item, shown.name) for shown in fields(Dated)}


def _payers(scheme: Scheme) -> list[dict[str, str]]:
    return [{"name": payer.name, "role": payer.role} for payer in scheme.payers]


def columns_document(column_set: ColumnSet) -> bytes:
    """Return the data dictionary, as JSON: what may be sent of a project, and what it means."""
    return orjson.dumps(
        {
            "name": column_set.name,
            "version": column_set.version,
            "title": column_set.title,
            "currency": column_set.currency,
            "groups": [_titled(name, titles) for name, titles in column_set.groups.items()],
            "sources": [_titled(name, titles) for name, titles in column_set.sources.items()],
            "columns": [_column(column) for column in column_set.columns],
        }
    )


def _titled(name: str, titles: tuple[str, str]) -> dict[str, str]:
    return {"name": name, "title": titles[0], "title_zh": titles[1]}


def _column(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "field": f"instrument.{column.terms}" if column.terms else f"project.{column.name}",
        "kind": column.kind.value,
        "unit": column.unit,
        "unit_zh": column.unit_zh or column.unit,
        "group": column.group,
        "source": column.source,
        "label": column.label,
        "label_zh": column.label_zh,
        "meaning": column.meaning,
        "meaning_zh": column.meaning_zh,
        "low": column.low,
        "high": column.high,
        "levels": list(column.levels),
        "levels_zh": list(column.levels_zh or column.levels),
        "direction": column.direction.value,
        "reason": column.reason,
        "reason_zh": column.reason_zh or column.reason,
        "required": not column.optional or column.terms is not None,
        "movable": column.movable,
    }
