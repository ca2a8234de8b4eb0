"""A candidate is loaded first in a process that may die of it.

    python -m models.trial FOLDER DIGEST

Digests and a signature say whose the files are, and nothing about whether they can be read: a
background of another width, say, ends the process whose compiled loops go over it. The files are
verified, parsed and priced from here: status 0 says that the golden vectors came out the same.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Sequence
from pathlib import Path

from models import artifact, golden
from pricing.errors import SeedrateError


def main(arguments: Sequence[str]) -> int:
    """Load a model and price its golden vectors; a failure is one clear line."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # its memory is of no use to anybody
    folder, digest = arguments
    try:
        golden.check(artifact.read(Path(folder), digest), Path(folder))
    except SeedrateError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
