"""One seat, many who want it: every turn has one winner, and the log is whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine, event

from models import registry
from pricing.errors import ModelError
from tests.conftest import ROOT
from training.seat import BACK, LAPSES, Seat, State

if TYPE_CHECKING:
    from models.registry import MlflowClient

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*noload:DeprecationWarning", "ignore:Operation with range:DeprecationWarning"
)
ROUNDS = 30
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TAGS = "SELECT registered_model_tags"  # how MLflow's own query begins


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    at: datetime = field(default=NOON)

    def __call__(self) -> datetime:
        return self.at


@contextmanager
def registered(uri: str, name: str) -> Iterator[MlflowClient]:
    """Yield a client of a registry in which a model of that name has versions 1 and 2."""
    with registry.client(uri) as client:
        client.create_registered_model(name)
        run = client.create_run("0").info
        for _ in range(2):
            client.create_model_version(name, f"{run.artifact_uri}/model", run.run_id)
        yield client


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('registry') / 'mlflow.db'}"


@pytest.fixture
def client(local: str, request: pytest.FixtureRequest) -> Iterator[MlflowClient]:
    with registered(local, request.node.name) as client:
        yield client


@pytest.fixture
def seat(client: MlflowClient, request: pytest.FixtureRequest) -> Seat:
    return Seat(client, request.node.name, "champion", Clock())


def takes(seat: Seat, word: str, number: str) -> None:
    before = seat.state()
    with seat.turn(before, "ann") as turn:
        turn.take(word, number)


def models_of(client: MlflowClient, name: str) -> list[str]:
    return [one.name for one in client.search_registered_models() if one.name.startswith(name)]


def test_a_seat_is_taken_and_nothing_is_left_but_the_log(seat: Seat) -> None:
    takes(seat, "1", "1")
    takes(seat, "2", "2")
    takes(seat, BACK, "1")
    assert seat.state() == State(("1", "2", BACK), "1")
    assert seat.state().seated == ["1"]
    assert models_of(seat.client, seat.name) == [seat.name]


def test_what_was_decided_on_a_former_state_is_refused(seat: Seat) -> None:
    before = seat.state()
    takes(seat, "1", "1")
    with pytest.raises(ModelError, match="it has changed, and is now version 1"):
        with seat.turn(before, "bob"):
            raise AssertionError("bob holds a turn that is past")
    assert seat.state() == State(("1",), "1")
    assert models_of(seat.client, seat.name) == [seat.name]


def test_an_alias_that_was_moved_by_hand_is_noticed(seat: Seat) -> None:
    before = seat.state()
    seat.client.set_registered_model_alias(seat.name, "champion", "2")
    with pytest.raises(ModelError, match="is now version 2"):
        with seat.turn(before, "bob"):
            raise AssertionError("bob holds a turn that is past")


def test_while_one_holds_the_turn_another_is_told_who(seat: Seat) -> None:
    before = seat.state()
    with seat.turn(before, "ann") as turn:
        with pytest.raises(ModelError, match=r"nobody else .* however: ann is, until 2026-01-01"):
            with seat.turn(before, "bob"):
                raise AssertionError("two hold one turn")
        turn.take("1", "1")
    assert seat.state().log == ("1",)


def test_a_claim_whose_owner_died_lapses_and_only_one_takes_its_place(seat: Seat) -> None:
    before, clock = seat.state(), Clock(NOON + LAPSES + timedelta(seconds=1))
    tags = {"who": "ann", "until": (NOON + LAPSES).isoformat()}
    assert registry.claim(seat.client, f"{seat.name}.champion.turn-1.1", tags)
    later = Seat(seat.client, seat.name, "champion", clock)
    with later.turn(before, "bob") as turn:
        with pytest.raises(ModelError, match="however: bob is"):
            with later.turn(before, "cy"):
                raise AssertionError("two hold one turn")
        turn.take("2", "2")
    assert later.state() == State(("2",), "2")
    assert models_of(seat.client, seat.name) == [seat.name]


@pytest.mark.parametrize("look", [1, 2], ids=["when it was there", "for whose it is"])
def test_a_claim_given_up_while_it_was_read_is_nobody_s_any_more(seat: Seat, look: int) -> None:
    before, claim = seat.state(), f"{seat.name}.champion.turn-1.1"
    until = (NOON + LAPSES).isoformat()
    assert registry.claim(seat.client, claim, {"who": "ann", "until": until})

    def ends() -> None:
        seat.write(("1",), "1")
        registry.drop(seat.client, claim)

    with before_tags_are_read(look, ends), pytest.raises(ModelError, match="is now version 1"):
        with seat.turn(before, "bob"):
            raise AssertionError("bob holds a turn that is past")
    assert seat.state() == State(("1",), "1")
    assert models_of(seat.client, seat.name) == [seat.name]


@contextmanager
def before_tags_are_read(look: int, act: Callable[[], None]) -> Iterator[None]:
    """Act when MLflow looks at a claim for that time: after its name is read, before its tags."""
    looks: list[str] = []

    def heard(_c: object, _cursor: object, statement: str, values: object, *_: object) -> None:
        if statement.startswith(TAGS) and ".turn-" in str(values):
            looks.append(statement)
            if len(looks) == look:
                act()

    event.listen(Engine, "before_cursor_execute", heard)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", heard)
    assert len(looks) >= look


@pytest.mark.parametrize("tags", [{}, {"who": "ann"}], ids=["without tags", "without an end"])
def test_a_claim_half_made_is_another_s_until_it_lapses(seat: Seat, tags: dict[str, str]) -> None:
    assert registry.claim(seat.client, f"{seat.name}.champion.turn-1.1", tags)
    clock = Clock(datetime.now(UTC))  # the registry stamps what is made with the time of day
    later = Seat(seat.client, seat.name, "champion", clock)
    with pytest.raises(ModelError, match=rf"nobody else .* however: {tags.get('who', 'somebody')}"):
        takes(later, "1", "1")
    assert later.state() == State((), None)
    clock.at += LAPSES + timedelta(seconds=1)
    takes(later, "2", "2")
    assert later.state() == State(("2",), "2")
    assert models_of(seat.client, seat.name) == [seat.name]


def test_who_wakes_after_the_turn_has_lapsed_writes_nothing(seat: Seat) -> None:
    clock = Clock()
    sleeper = Seat(seat.client, seat.name, "champion", clock)

    def sleep() -> None:
        with sleeper.turn(seat.state(), "ann") as turn:
            clock.at = NOON + LAPSES
            turn.take("1", "1")

    with pytest.raises(ModelError, match="a turn must be used by"):
        sleep()
    assert seat.state() == State((), None)
    (_, claim) = sorted(models_of(seat.client, seat.name))
    assert claim.endswith("turn-1.1")  # so that two who pass over it meet at the second attempt


def test_an_act_that_fails_gives_its_turn_up(seat: Seat) -> None:
    with pytest.raises(ZeroDivisionError):
        with seat.turn(seat.state(), "ann"):
            _ = 1 / 0
    takes(seat, "1", "1")
    assert seat.state().log == ("1",)


def compete(uri: str, name: str, rounds: int) -> list[list[str]]:
    """Let two processes want every turn at once; return what each was told, by round."""
    command = [sys.executable, "-m", "tests.training.contender", uri, name]
    processes = [
        subprocess.Popen(
            [*command, number],
            cwd=ROOT,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in ("1", "2")
    ]
    try:
        told: list[list[str]] = []
        for _ in range(rounds):
            assert _ask(processes, "read") == ["done", "done"]
            told.append(_ask(processes, "go"))
        return told
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def _ask(processes: Sequence[subprocess.Popen[str]], line: str) -> list[str]:
    """Say a line to all, then hear all."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(f"{line}\n")
        process.stdin.flush()
    return [process.stdout.readline().strip() for process in processes if process.stdout]


def winners(told: Sequence[Sequence[str]]) -> list[str]:
    """Return who won each round; fail unless one did, and the other was told why not."""
    won = []
    for pair in told:
        assert sorted(line == "won" for line in pair) == [False, True], pair
        loser = json.loads(next(line for line in pair if line != "won"))
        assert "nobody else may be changing" in loser or "it has changed" in loser, loser
        won.append("1" if pair[0] == "won" else "2")
    return won


@pytest.mark.parametrize("where", ["local", "server"])
def test_of_two_processes_that_promote_at_once_exactly_one_wins(
    where: str, request: pytest.FixtureRequest
) -> None:
    uri, name = str(request.getfixturevalue(where)), f"wanted-{where}"
    with registered(uri, name) as client:
        won = winners(compete(uri, name, ROUNDS))
        state = Seat(client, name, "champion", Clock()).state()
        assert len(won) == ROUNDS
        assert list(state.log) == won
        assert state.number == won[-1]
        assert models_of(client, name) == [name]


def test_the_count_of_winners_can_fail() -> None:
    lost = json.dumps("it has changed")
    assert winners([["won", lost], [lost, "won"]]) == ["1", "2"]
    for wrong in (["won", "won"], [lost, lost], ["won", json.dumps("Traceback")]):
        with pytest.raises(AssertionError):
            winners([wrong])
