"""Example requests that ship with the project, of which a model can be asked some."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from pricing.errors import InputError
from serving.contract import Contract

EXAMPLES = Path(__file__).parents[1] / "examples"


def askable(contract: Contract, folder: Path = EXAMPLES) -> Mapping[str, Any]:
    """Return the example requests of a folder that a model can be asked, by name."""
    examples = {}
    for path in sorted(folder.glob("*.json")):
        request = orjson.loads(path.read_bytes())
        try:
            contract.read(request)
        except InputError:  # meant for another column set
            continue
        examples[path.stem] = request
    return examples
