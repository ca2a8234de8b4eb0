"""A process that wants a seat again and again: python -m tests.training.contender URI NAME NUMBER.

At each "read" on standard input it reads the state, at each "go" it wants the seat: so that two of
them decide on the same state.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime

from models import registry
from pricing.errors import ModelError
from training.seat import Seat, State


def main(uri: str, name: str, number: str) -> None:
    """Answer each line: "done" to "read", and to "go" "won", or why not as JSON."""
    with registry.client(uri) as client:
        seat = Seat(client, name, "champion", lambda: datetime.now(UTC))
        before = seat.state()
        for line in sys.stdin:
            if line == "read\n":
                before = seat.state()
                print("done", flush=True)
            else:
                print(answer(seat, before, number), flush=True)


def answer(seat: Seat, before: State, number: str) -> str:
    """Want the seat; say how it went."""
    try:
        with seat.turn(before, f"process {number}") as turn:
            turn.take(number, number)
    except ModelError as error:
        return json.dumps(str(error))
    return "won"


if __name__ == "__main__":
    main(*sys.argv[1:])
