"""Price a recorded quote again, from what was recorded, and compare every byte of the reply."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from models import artifact, copies
from models.hazard import HazardModel
from pricing import policy
from pricing.errors import ModelError
from pricing.policy import Policy
from serving.access.caller import Caller
from serving.desk import Desk
from serving.ledger import policies
from serving.ledger.entry import Kept
from serving.settings import Settings

DeskOf = Callable[[HazardModel, Policy], Desk]


@dataclass(frozen=True)
class Repriced:
    """The recorded reply and the one made now."""

    recorded: bytes
    made: bytes
    same_code: bool

    @property
    def same(self) -> bool:
        """Say whether they are the same, byte for byte."""
        return self.recorded == self.made

    @property
    def differing(self) -> list[str]:
        """Return the fields that differ."""
        then, now = orjson.loads(self.recorded), orjson.loads(self.made)
        return sorted(name for name in {*then, *now} if then.get(name) != now.get(name))


def reprice(settings: Settings, kept: Kept, desk_of: DeskOf) -> Repriced:
    """Return a quote beside the same made anew, by its own model, policy and day.

    Args:
        settings: say where models and policies are kept.
        kept: the quote.
        desk_of: makes a desk of a model and a policy.

    Raises:
        RefusedError: it was erased.
        ModelError: its model or its policy is not kept here.
    """
    reply = orjson.loads(kept.reply)
    model, rules = named_model(settings, reply["model"]), named_policy(settings, reply["policy"])
    return again(kept, desk_of(model, rules))


def again(kept: Kept, desk: Desk) -> Repriced:
    """Return a quote beside the same made anew by a desk of its own model and policy.

    Raises:
        RefusedError: it was erased.
    """
    recorded = kept.reply
    asked = orjson.loads(kept.private.request if kept.private else b"null")
    reply = orjson.loads(recorded)
    audited = "audit" in reply["explanation"]  # what was drawn may have been left out: no time
    desk = replace(desk, drawn=lambda _: audited)
    now = datetime.fromisoformat(reply["time"])
    body = orjson.loads(kept.body)
    caller = Caller(body["tenant"], "reprice", frozenset())
    made = desk.price(asked, caller, now, quote_id=kept.quote_id)
    return Repriced(recorded, made.body, body["code"] == desk.code)


def named_model(settings: Settings, named: Mapping[str, Any]) -> HazardModel:
    """Return the model that a quote names, from the verified copies.

    Raises:
        ModelError: it is not kept here.
    """
    folder = copies.find(settings.models, named["digest"])
    if folder is None:
        raise ModelError(f"model {named['digest']} must be in {settings.models}, whole")
    model = artifact.read(folder, named["digest"])
    return replace(model, card={**model.card, "version": named["version"]})


def named_policy(settings: Settings, named: Mapping[str, Any]) -> Policy:
    """Return the policy that a quote names.

    Raises:
        ModelError: it is not kept here.
    """
    content = policies.find(settings.policies, named["digest"])
    if content is None:
        raise ModelError(f"policy {named['digest']} must be in {settings.policies}, whole")
    return policy.parse(content)
