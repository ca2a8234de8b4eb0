"""Promotions and rollbacks: one person proposes, another decides, then the usual command runs.

What a server signs with is not what a promoter signs with: the command `python -m training` does
the work, in a process of its own, with the key and the registry that the operator has set for it.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from threading import Thread

from starlette.responses import RedirectResponse, Response

from serving.access.audit import Audit, Event
from serving.champion import ROOT
from serving.console.proposals import (
    AGREED,
    DECLINED,
    EXPIRES_SECONDS,
    FAILED,
    PROMOTE,
    PROPOSED,
    ROLLBACK,
    RUN_SECONDS,
    RUNNING,
    Proposal,
    Proposals,
    person,
)
from serving.console.visit import Page, Visit
from serving.doors import CONSOLE, PROMOTES
from serving.problem import NOT_FOUND, RefusedError
from serving.settings import Settings

HERE = f"{CONSOLE}/promotions"
ONE = f"{HERE}/{{number}}"
VERSION = re.compile(r"[1-9][0-9]{0,8}")
MOST_LETTERS = 300  # of a reason
REFRESH_SECONDS = 3
Run = Callable[[Sequence[str]], tuple[int, str]]


class PromotionsPage:
    """Takes proposals and decisions, and has what was agreed done."""

    def __init__(self, proposals: Proposals, audit: Audit, run: Run | None) -> None:
        """Stand at the table.

        Args:
            proposals: that lie on it.
            audit: in which who did what is noted.
            run: runs `python -m training` with arguments; None: a person runs it.
        """
        self._proposals, self._audit, self._run = proposals, audit, run

    def page(self) -> Page:
        """Return the page."""
        answers = {
            ("GET", HERE): self.show,
            ("POST", HERE): self.propose,
            ("GET", ONE): self.show_one,
            ("POST", ONE): self.decide,
        }
        return Page(answers, name="promotions", leads=HERE, scope=PROMOTES)

    async def show(self, visit: Visit) -> Response:
        """Show the proposals, and a form for another."""
        return await self._listed(visit, {"act": PROMOTE, "version": visit.asked("version")}, {})

    async def propose(self, visit: Visit) -> Response:
        """Keep a proposal."""
        typed = {name: visit.form.get(name, "").strip() for name in ("act", "version", "reason")}
        faults = _faults(typed)
        if faults:
            return await self._listed(visit, typed, faults)
        version = typed["version"] if typed["act"] == PROMOTE else ""
        number = await asyncio.to_thread(
            self._proposals.propose, visit.caller, typed["act"], version, typed["reason"]
        )
        self._note("promotion_proposed", visit, number, f"{typed['act']} {version}".strip())
        return RedirectResponse(f"{HERE}/{number}", 303)

    async def show_one(self, visit: Visit) -> Response:
        """Show what became of a proposal."""
        return self._shown(visit, await self._found(visit))

    async def decide(self, visit: Visit) -> Response:
        """Let another person agree or decline."""
        one, agrees = await self._found(visit), visit.form.get("decision") == "agree"
        state = (RUNNING if self._run else AGREED) if agrees else DECLINED
        decided = await asyncio.to_thread(self._proposals.decide, one.number, visit.caller, state)
        if not decided:
            why = "same_person" if one.proposer == person(visit.caller) else "too_late"
            self._note("promotion_refused", visit, one.number, why)
            return self._shown(visit, await self._found(visit), status=409, refusal=why)
        self._note(f"promotion_{'agreed' if agrees else 'declined'}", visit, one.number, one.reason)
        if state == RUNNING:
            Thread(target=self._carry_out, args=(one.number,), name="promotion").start()
        return RedirectResponse(f"{HERE}/{one.number}", 303)

    def _carry_out(self, number: int) -> None:
        """Run the command of a proposal, and keep what it said."""
        one = self._proposals.find(number)
        if one is None or self._run is None:
            return
        code, output = self._run(one.arguments)
        self._proposals.end(number, code, output)
        who = one.decider or ""
        ended = "promotion_done" if code == 0 else "promotion_not_done"
        tenant, _, client = who.partition("/")
        self._audit.note(Event(ended, tenant, client, route=HERE, why=f"#{number}: exit {code}"))

    async def _listed(
        self, visit: Visit, typed: dict[str, str], faults: dict[str, str]
    ) -> Response:
        return visit.page(
            "promotions.html",
            status=422 if faults else 200,
            proposals=await asyncio.to_thread(self._proposals.newest),
            typed={"act": PROMOTE, "version": "", "reason": "", **typed},
            faults=faults,
            runs=self._run is not None,
            hours=EXPIRES_SECONDS // 3600,
        )

    def _shown(
        self, visit: Visit, one: Proposal, *, status: int = 200, refusal: str = ""
    ) -> Response:
        return visit.page(
            "promotion.html",
            status=status,
            one=one,
            refusal=refusal,
            mine=one.proposer == person(visit.caller),
            is_open=one.state == PROPOSED,
            waits=one.state == RUNNING,
            runs=self._run is not None,
            failed=one.state == FAILED,
            refresh=REFRESH_SECONDS,
            hours=EXPIRES_SECONDS // 3600,
        )

    async def _found(self, visit: Visit) -> Proposal:
        one = await asyncio.to_thread(self._proposals.find, int(visit.part("number")))
        if one is None:
            raise RefusedError(NOT_FOUND, "a proposal must be one that was made")
        return one

    def _note(self, kind: str, visit: Visit, number: int, why: str) -> None:
        caller = visit.caller
        told = f"#{number}: {why}"
        self._audit.note(Event(kind, caller.tenant, caller.client, route=HERE, why=told))


def runner(settings: Settings) -> Run:
    """Return what runs `python -m training` as an operator would in the folder of the server."""

    def run(arguments: Sequence[str]) -> tuple[int, str]:
        environ = {
            **os.environ,
            "SEEDRATE_VAR": str(settings.var),
            "SEEDRATE_TRACKING_URI": settings.tracking_uri or "off",
            "SEEDRATE_MODEL": settings.model,
            "SEEDRATE_ALIAS": settings.alias,
            "SEEDRATE_TRUSTED_KEYS": str(settings.trusted_keys),
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "120",
            "NO_COLOR": "1",
        }
        try:
            done = subprocess.run(
                [sys.executable, "-m", "training", *arguments],
                env=environ,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=RUN_SECONDS,
            )
        except (subprocess.TimeoutExpired, OSError) as error:
            return 1, str(error)
        return done.returncode, done.stdout

    return run


def _faults(typed: dict[str, str]) -> dict[str, str]:
    faults = {}
    if typed["act"] not in (PROMOTE, ROLLBACK):
        faults["act"] = "quotes.fault.choice"
    if typed["act"] == PROMOTE and not VERSION.fullmatch(typed["version"]):
        faults["version"] = "promotions.fault_version"
    reason = typed["reason"]
    if not reason or len(reason) > MOST_LETTERS or not reason.isprintable():
        faults["reason"] = "promotions.fault_reason"
    return faults
