"""Python's collector of garbage, kept off what stays and off what soon goes by itself."""

import gc


def spare() -> None:
    """Never look again at what is loaded by now, and seldom at what comes: quotes hold no cycles.

    A process that loads a model and then quotes for long calls it in between.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 1_000)
