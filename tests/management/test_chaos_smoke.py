"""The small part of `make chaos`: some faults, and that its checks see what is lost."""

from collections.abc import Iterator

import pytest

from tests.suites.chaos.clients import Call, Client, Crowd, Line, Outcome
from tests.suites.chaos.invariants import NOTHING, Allowed, damage
from tests.suites.chaos.stage import KEY, PERSONS, Stage, Totals, stage
from tests.support.serving import wait_until


@pytest.fixture(scope="module")
def scene() -> Iterator[Stage]:
    with stage() as made:
        yield made


@pytest.mark.whole
def test_a_web_worker_and_then_everything_is_killed(scene: Stage):
    with scene.survive("SIGKILL", Allowed(resets=True, absence=True, doubtful_503=True), clients=4):
        scene.child("core6.serving").children()[0].kill()
        scene.kill_everything()
        scene.start_again()


@pytest.mark.whole
def test_a_server_ends_on_a_signal(scene: Stage):
    with scene.survive("SIGTERM", Allowed(absence=True, only_idle_resets=True), clients=4):
        assert scene.server.stop() == 0
        scene.start_again()


@pytest.fixture
def crowd(scene: Stage) -> Crowd:
    """Two clients who have worked and are done."""
    own = [scene.projects[f"Client {number}"] for number in range(2)]
    made = Crowd(scene.address, KEY, own, scene.organization, PERSONS)
    made.start()
    try:
        wait_until(lambda: made.acknowledged > 60, "writes")
    finally:
        made.stop()
    scene.settle()
    assert broken(scene, made) == []
    return made


def broken(scene: Stage, crowd: Crowd, allowed: Allowed = NOTHING) -> list[str]:
    line = scene.line()
    try:
        return damage(crowd, line, allowed).problems
    finally:
        line.close()


def execute(scene: Stage, statement: str) -> None:
    with scene.connect() as connection:
        connection.execute(statement.encode())


def kept(crowd: Crowd) -> tuple[Client, str]:
    client = crowd.clients[0]
    return client, next(name for name, outcome in client.known.notes.items() if outcome is Outcome.KEPT)


@pytest.mark.whole
def test_a_lost_write_is_seen(scene: Stage, crowd: Crowd):
    _, name = kept(crowd)
    execute(scene, f"DELETE FROM annotations_annotation WHERE content = '{name}'")
    assert broken(scene, crowd) == [f"annotation {name!r} was acknowledged and is lost"]


def test_a_write_that_was_refused_or_done_twice_is_seen(scene: Stage, crowd: Crowd):
    client, name = kept(crowd)
    client.known.notes[name] = Outcome.REFUSED
    assert broken(scene, crowd) == [f"annotation {name!r} was refused and is there"]
    assert broken(scene, crowd, Allowed(doubtful_503=True)) == []
    client.known.notes[name] = Outcome.UNKNOWN
    assert broken(scene, crowd) == []
    assert broken(scene, crowd, Allowed(only_idle_resets=True)) == [f"annotation {name!r} was done and not answered"]
    scene.ask("POST", f"{client.at}/annotations/", {"content": name, "scope": "project"}, 201)
    assert broken(scene, crowd) == [f"annotation {name!r} is there 2 times"]


@pytest.mark.whole
def test_an_old_state_is_seen(scene: Stage, crowd: Crowd):
    client = crowd.clients[0]
    scene.ask("PATCH", f"{client.at}/annotations/{client.counter}/", {"content": "counter x 987"})
    scene.ask("PATCH", f"{client.at}/reset_token/", {})
    client.known.api_tokens.append(("phc_unrecorded", Outcome.KEPT))
    execute(scene, f"DELETE FROM cohorts_cohortmember WHERE cohort_id IN ({client.static}, {client.dynamic})")
    problems = broken(scene, crowd)
    assert any("'counter x 987' after" in each for each in problems)
    assert f"the api_token of project {client.project} is not the last that was answered" in problems
    assert any(f"acknowledged members of cohort {client.static} are lost" in each for each in problems)
    assert any(f"cohort {client.static} counts others" in each for each in problems)
    assert all("secret_api_token" not in each for each in problems)


def call(status: int | None, *, seconds: float = 0.1, why: str = "", retry_after: str | None = None) -> Call:
    return Call("POST /x", 0.0, seconds, status, retry_after=retry_after, why=why)


@pytest.mark.parametrize(
    ("given", "allowed", "is_fair"),
    [
        (call(201), NOTHING, True),
        (call(409), NOTHING, True),
        (call(401), NOTHING, False),
        (call(404), NOTHING, False),
        (call(500), Allowed(resets=True, absence=True, doubtful_503=True), False),
        (call(503, retry_after="1"), NOTHING, True),
        (call(503), NOTHING, False),
        (call(None, why="RemoteDisconnected"), NOTHING, False),
        (call(None, why="RemoteDisconnected"), Allowed(resets=True), True),
        (call(None, why="timeout"), Allowed(resets=True, absence=True), False),
    ],
)
def test_clients_are_answered_fairly(given: Call, allowed: Allowed, is_fair: bool):
    crowd = Crowd("nowhere", KEY, [], "none", PERSONS)
    crowd.calls.append(given)
    assert (damage(crowd, Line("nowhere", KEY, []), allowed).problems == []) is is_fair


@pytest.mark.parametrize(
    ("given", "allowed", "is_alive"),
    [
        (call(200), NOTHING, True),
        (call(200, seconds=1.1), NOTHING, False),
        (call(200, seconds=1.1), Allowed(resets=True), False),
        (call(503), Allowed(absence=True), False),
        (call(None, why="ConnectionRefusedError"), Allowed(absence=True), True),
        (call(None, why="ConnectionRefusedError"), NOTHING, False),
    ],
)
def test_the_server_lives(given: Call, allowed: Allowed, is_alive: bool):
    crowd = Crowd("nowhere", KEY, [], "none", PERSONS)
    crowd.prober.calls.append(given)
    assert (damage(crowd, Line("nowhere", KEY, []), allowed).problems == []) is is_alive


def test_the_summary_counts_every_outcome():
    totals = Totals(faults=2, survived=1, lost=3)
    totals.add([call(201), call(503), call(500), call(None)])
    assert str(totals).startswith("faults survived: 1 of 2; requests: 4, acknowledged writes: 1, lost: 3, 503: 1,")
    assert "other 5xx: 1, connections lost: 1" in str(totals)
