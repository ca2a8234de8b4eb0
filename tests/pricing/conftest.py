"""How the properties of pricing are tried."""

from __future__ import annotations

from hypothesis import settings

# The first example of a fresh clone compiles the kernels, which takes seconds.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
