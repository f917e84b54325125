from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.places import place
from tests.support.serving import refusal, survivors
from tests.support.settings import SECRET


@pytest.fixture
def directory() -> Iterator[Path]:
    with place() as parent:
        yield parent / "data"


def test_a_database_that_cannot_be_reached_is_refused(directory: Path):
    given = {"DATABASE_URL": "postgres://u:hidden-word@127.0.0.1:1/x", "SECRET_KEY": SECRET}
    for command in (("serve", "--port", "0"), ("provision", "-")):
        message = refusal(directory, *command, **given)
        assert "the database cannot be reached: " in message
        assert "hidden-word" not in message
    assert not directory.exists()


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("provision", "-")])
def test_data_of_another_major_version_is_refused(directory: Path, command: tuple[str, ...]):
    (directory / "postgres").mkdir(parents=True)
    (directory / "postgres" / "PG_VERSION").write_text("12\n")
    assert "was written by PostgreSQL 12" in refusal(directory, *command)


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("provision", "-")])
def test_a_directory_that_cannot_be_written_is_refused(directory: Path, command: tuple[str, ...]):
    directory.touch()
    message = refusal(directory / "data", *command)
    assert f"the data directory {directory}/data cannot be written" in message


def test_a_server_without_its_world_is_refused(directory: Path, tmp_path: Path):
    world = tmp_path / "world.yaml"
    world.write_text("users: [{email: nobody}]")
    assert "users[0].email: " in refusal(directory, "serve", "--port", "0", "--provision", str(world))
    assert survivors(directory) == []
    assert "cannot be read" in refusal(directory, "serve", "--port", "0", "--provision", "none.yaml")
    assert survivors(directory) == []


def test_a_ready_file_that_cannot_be_written_is_refused(directory: Path):
    message = refusal(directory, "serve", "--port", "0", "--ready-file", str(directory / "none" / "ready"))
    assert "choose another --ready-file" in message
    assert survivors(directory) == []
