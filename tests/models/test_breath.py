"""Who loads a model beside those who quote takes pauses; who loads before anybody quotes, none."""

from __future__ import annotations

import time
from threading import Thread

from models.breath import BREATH_SECONDS, breathe


def test_a_thread_beside_the_main_one_sleeps() -> None:
    took: list[float] = []

    def loads() -> None:
        began = time.perf_counter()
        breathe()
        took.append(time.perf_counter() - began)

    thread = Thread(target=loads)
    thread.start()
    thread.join()
    assert took[0] >= BREATH_SECONDS


def test_the_main_thread_goes_on() -> None:
    took: list[float] = []
    for _ in range(10):
        began = time.perf_counter()
        breathe()
        took.append(time.perf_counter() - began)
    assert min(took) < BREATH_SECONDS / 10
