import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.places import ask, place
from tests.support.serving import LIGHT, manage, serving, survivors

FIXED_KEY = "phx_fixed_for_the_tests_of_ci"
WORLD = """
users: [{{email: ci@example.com}}]
organizations:
  - {{name: Globex, members: {{ci@example.com: owner}}, projects: [{{name: Shop, timezone: {timezone}}}]}}
api_keys: [{{label: ci, user: ci@example.com, scopes: ["*"], value: {key}}}]
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    with place() as parent:
        yield parent / "data"


@pytest.fixture
def world(tmp_path: Path) -> Path:
    (tmp_path / "world.yaml").write_text(WORLD.format(timezone="Asia/Tokyo", key=FIXED_KEY))
    return tmp_path / "world.yaml"


def test_a_world_is_applied_at_every_start(directory: Path, world: Path):
    with serving(directory, *LIGHT, "--provision", str(world)) as server:
        assert server.printed("API key") == FIXED_KEY
        server.note("kept")
        assert server.stop() == 0
    world.write_text(WORLD.format(timezone="Europe/Paris", key=FIXED_KEY))
    with serving(directory, *LIGHT, "--provision", str(world)) as server:
        assert "kept" in server.contents()
        assert ask(directory, "SELECT timezone FROM projects_project") == ("Europe/Paris",)
        assert ask(directory, "SELECT count(*) FROM accounts_user WHERE email <> 'ci@example.com'") == (0,)
        assert "phx_" not in server.stderr


@pytest.mark.whole
def test_a_command_starts_and_stops_the_database_where_nothing_runs(directory: Path):
    text = WORLD.format(timezone="UTC", key=FIXED_KEY)
    first, second = (manage(directory, "provision", "-", stdin=text) for _ in range(2))
    assert (first.returncode, first.stderr) == (0, "")
    assert json.loads(second.stdout) == json.loads(first.stdout)
    assert survivors(directory) == []


@pytest.mark.whole
def test_commands_that_run_at_once_share_the_database(directory: Path):
    text = WORLD.format(timezone="UTC", key=FIXED_KEY)
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(manage, directory, "provision", "-", stdin=text) for _ in range(3)]
    assert [(run.result().returncode, run.result().stderr) for run in runs] == [(0, "")] * 3
    assert len({run.result().stdout for run in runs}) == 1
    assert survivors(directory) == []
