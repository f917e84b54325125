"""Calculations are broken off, overtaken and poisoned while clients write."""

import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psutil

from core6.settings import BASE_DIR
from tests.suites.chaos.clients import numbers_below
from tests.suites.chaos.stage import Stage
from tests.support.serving import MANAGE, environment, wait_until

_RUNNING = "SELECT count(*) FROM cohorts_calculation WHERE cohort_id = %s AND finished_at IS NULL"
#: Seconds after which a worker without a sign of life counts as dead, and some.
_FROZEN_SECONDS = 16


def create(scene: Stage, limit: int, project: str = "Jobs") -> str:
    """Make a cohort that is computed; return its path."""
    path = scene.path("cohorts", project)
    body = scene.ask("POST", path, {"name": "broken", "filters": numbers_below(limit)}, 201)
    return settled(scene, f"{path}{body['id']}/")


def settled(scene: Stage, path: str) -> str:
    wait_until(lambda: not scene.ask("GET", path)["is_calculating"], "end of the calculation", 75)
    return path


def is_right(scene: Stage, path: str, limit: int) -> None:
    body = scene.ask("GET", settled(scene, path))
    assert (body["count"], body["errors_calculating"], body["version"]) == (limit, 0, body["pending_version"])
    assert len(scene.ask("GET", f"{path}persons/?limit=1000")["results"]) == limit


def number_of(path: str) -> int:
    return int(path.rstrip("/").rpartition("/")[2])


@contextmanager
def in_the_midst(scene: Stage, path: str, limit: int) -> Iterator[Any]:
    """Change a cohort and be where its calculation has begun and does not end: nobody can write members."""
    with scene.connect() as holder, scene.connect() as asking:
        asking.autocommit = True
        holder.execute("LOCK TABLE cohorts_cohortmember IN SHARE MODE")
        scene.ask("PATCH", path, {"filters": numbers_below(limit)})
        wait_until(lambda: asking.execute(_RUNNING, [number_of(path)]).fetchone() == (1,), "calculation")
        yield holder
        holder.rollback()


def test_the_worker_is_killed_in_the_midst(scene: Stage):
    path = create(scene, 10)
    with scene.survive("SIGKILL of the worker in the midst", clients=4):
        with in_the_midst(scene, path, 70):
            worker = scene.child("worker")
            worker.kill()
            psutil.wait_procs([worker], timeout=15)
        is_right(scene, path, 70)


def test_the_worker_is_frozen_in_the_midst(scene: Stage):
    """Another worker takes the frozen one's job over, and the frozen one goes on with it when it thaws."""
    path = create(scene, 10)
    with scene.survive("a worker frozen in the midst", clients=4):
        worker = scene.child("worker")
        with in_the_midst(scene, path, 70):
            worker.suspend()
        try:
            with another_worker(scene):
                time.sleep(_FROZEN_SECONDS)
                worker.resume()
                scene.settle()
        finally:
            worker.resume()
        # What the frozen one found is dropped, and counts as no error.
        is_right(scene, path, 70)


@contextmanager
def another_worker(scene: Stage) -> Iterator[None]:
    given = environment(scene.directory, {})
    process = subprocess.Popen([*MANAGE, "worker"], cwd=BASE_DIR, env=given, stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def test_fifty_changes_in_a_second(scene: Stage):
    path = create(scene, 10)
    with scene.survive("50 changes of one cohort", clients=2):
        with ThreadPoolExecutor(5) as pool:
            given = [{"filters": numbers_below(number)} for number in range(49)]
            list(pool.map(lambda body: scene.ask("PATCH", path, body), given))
        scene.ask("PATCH", path, {"filters": numbers_below(123)})
        is_right(scene, path, 123)
        assert scene.ask("GET", path)["version"] == 51
        assert len(scene.ask("GET", f"{path}calculation_history/?limit=100")["results"]) < 20


def test_a_cohort_is_deleted_while_it_is_computed(scene: Stage):
    path = create(scene, 10)
    with scene.survive("a cohort deleted in the midst", clients=4):
        with in_the_midst(scene, path, 70):
            scene.ask("PATCH", path, {"deleted": True})
        scene.settle()
        body = scene.ask("GET", path)
        assert (body["is_calculating"], body["count"], body["errors_calculating"]) == (False, 10, 0)
        scene.ask("PATCH", path, {"deleted": False})
        is_right(scene, path, 70)


def test_a_cohort_is_deleted_and_the_worker_killed(scene: Stage):
    path = create(scene, 10)
    with scene.survive("a cohort deleted, the worker killed", clients=2):
        with in_the_midst(scene, path, 70):
            scene.ask("PATCH", path, {"deleted": True})
            worker = scene.child("worker")
            worker.kill()
            psutil.wait_procs([worker], timeout=15)
        scene.settle()
        assert scene.ask("GET", path)["count"] == 10


def test_a_project_is_deleted_while_a_cohort_is_computed(scene: Stage):
    path = create(scene, 10, "Doomed")
    with scene.survive("a project deleted in the midst", clients=4):
        project = scene.projects.pop("Doomed")
        with in_the_midst(scene, path, 70):
            scene.ask("DELETE", f"/api/projects/{project}/", status=204)
        scene.settle()
        scene.ask("GET", path, status=404)
        with scene.connect() as connection:
            for table in ("analytics_person", "analytics_distinctid", "cohorts_cohortmember", "cohorts_cohort"):
                left = connection.execute(f"SELECT count(*) FROM {table} WHERE project_id = {project}".encode())
                assert left.fetchone() == (0,), table


def test_a_poison_cohort_stops_no_other(scene: Stage):
    path = create(scene, 10)
    with scene.survive("a poison cohort", clients=4):
        poison = numbers_below(1)
        poison["properties"]["values"][0]["values"][0] |= {"key": "email", "operator": "regex", "value": "(("}
        cohorts = scene.path("cohorts")
        bad = scene.ask("POST", cohorts, {"name": "poison", "filters": poison}, 201)
        scene.ask("PATCH", path, {"filters": numbers_below(70)})
        is_right(scene, path, 70)
        body = scene.ask("GET", settled(scene, f"{cohorts}{bad['id']}/"))
        assert body["errors_calculating"] == 1
        assert "regular expression" in body["last_error_message"]
