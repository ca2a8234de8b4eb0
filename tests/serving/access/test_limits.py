from __future__ import annotations

from collections.abc import Callable

import pytest

from serving.access.limits import WINDOW_SECONDS, Limits
from serving.problem import RefusedError
from tests.serving.access.clock import Clock

MINUTE = 1_800_000_000.0  # a whole number of minutes since 1970


def limits(clock: Callable[[], float], at_once: int = 1000) -> Limits:
    return Limits({"price": 100, "explain": 10, "ledger": 10}, at_once, clock)


def passes(limited: Limits, scope: str = "price", tenant: str = "bank", cost: int = 1) -> bool:
    try:
        limited.enter(tenant, scope, cost)
    except RefusedError:
        return False
    limited.leave(tenant)
    return True


def wait(limited: Limits, cost: int = 1) -> int:
    with pytest.raises(RefusedError) as refused:
        limited.enter("bank", "price", cost)
    assert refused.value.problem.status == 429
    return int(refused.value.headers["Retry-After"])


def test_a_tenant_has_so_many_a_minute_and_each_tenant_its_own() -> None:
    limited = limits(Clock(MINUTE))
    assert sum(passes(limited) for _ in range(300)) == 100
    assert sum(passes(limited, tenant="other") for _ in range(300)) == 100


def test_each_budget_is_its_own() -> None:
    limited = limits(Clock(MINUTE))
    assert sum(passes(limited) for _ in range(200)) == 100
    assert sum(passes(limited, "explain") for _ in range(200)) == 10
    ledger = (passes(limited, "ledger:read") + passes(limited, "ledger:verify") for _ in range(20))
    assert sum(ledger) == 10
    assert sum(passes(limited, "model:read") for _ in range(200)) == 200


def test_each_quote_of_a_batch_counts() -> None:
    limited = limits(Clock(MINUTE))
    assert passes(limited, cost=60)
    assert not passes(limited, cost=60)
    assert passes(limited, cost=40)
    assert not passes(limited)
    assert not passes(limits(Clock(MINUTE)), cost=101)


def test_no_stretch_of_a_minute_has_much_more_than_its_share() -> None:
    """Bound of the method: all at the end of a minute, then as fast as it lets: less than twice."""
    clock = Clock(MINUTE + 59.0)
    limited, passed = limits(clock), []
    for _ in range(1200):
        if passes(limited):
            passed.append(clock.at)
        clock.at += 0.1
    for begin in passed:
        assert sum(begin <= at < begin + WINDOW_SECONDS for at in passed) <= 200
    assert len(passed) > 150


def test_a_steady_asker_within_the_limit_is_never_refused() -> None:
    """Within: 95 of 100, since what came in the minute before is taken as evenly spread."""
    clock = Clock(MINUTE + 17.0)
    limited = limits(clock)
    for _ in range(1000):
        assert passes(limited)
        clock.at += WINDOW_SECONDS / 95


def test_retry_after_is_when_it_will_pass_and_not_long_before() -> None:
    for used, second, cost in ((100, 0, 1), (100, 30, 20), (60, 59, 50), (100, 7, 100)):
        clock = Clock(MINUTE + second)
        limited = limits(clock)
        assert passes(limited, cost=used)
        seconds = wait(limited, cost)
        clock.at += seconds - 1.5
        assert not passes(limited, cost=cost)
        clock.at += 1.5
        assert passes(limited, cost=cost)


def test_retry_after_holds_within_the_minute_too() -> None:
    clock = Clock(MINUTE + 59)
    limited = limits(clock)
    assert passes(limited, cost=100)
    clock.at += 11  # a sixth of the next minute has passed
    assert passes(limited, cost=16)
    seconds = wait(limited, cost=16)
    clock.at += seconds
    assert passes(limited, cost=16)


def test_so_many_requests_of_a_tenant_may_be_under_way() -> None:
    limited = limits(Clock(MINUTE), at_once=3)
    for _ in range(3):
        limited.enter("bank", "price", 1)
    assert wait(limited) == 1
    limited.enter("other", "price", 1)
    limited.leave("bank")
    assert passes(limited)


def test_who_is_turned_away_for_being_one_too_many_uses_nothing_up() -> None:
    limited = limits(Clock(MINUTE), at_once=1)
    limited.enter("bank", "price", 1)
    for _ in range(500):
        wait(limited)
    limited.leave("bank")
    assert sum(passes(limited) for _ in range(200)) == 99
