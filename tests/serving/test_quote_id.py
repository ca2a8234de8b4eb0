from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from serving.doors import QUOTE_ID
from serving.quote_id import uuid7

times = st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))


@given(now=times, noise=st.binary(min_size=10, max_size=10))
def test_an_id_is_a_uuid_of_version_7_that_the_gate_knows(now: datetime, noise: bytes) -> None:
    made = uuid7(now, lambda _: noise)
    assert (UUID(made).version, UUID(made).variant, str(UUID(made))) == (
        7,
        "specified in RFC 4122",
        made,
    )
    assert re.fullmatch(QUOTE_ID, made)


@given(now=times, noise=st.binary(min_size=10, max_size=10))
def test_a_later_id_sorts_later(now: datetime, noise: bytes) -> None:
    assert uuid7(now, lambda _: noise) < uuid7(now + timedelta(milliseconds=1), lambda _: bytes(10))


def test_ids_of_one_instant_differ() -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    assert len({uuid7(now, secrets.token_bytes) for _ in range(10_000)}) == 10_000


def test_the_example_of_the_standard() -> None:
    # RFC 9562, appendix A.6: 2022-02-22 14:22:22 GMT-05:00
    noise = (0xCC3 << 68 | 0x18C4DC0C0C07398F).to_bytes(10, "big")
    made = uuid7(datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC), lambda _: noise)
    assert made == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
