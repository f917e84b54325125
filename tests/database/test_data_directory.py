import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from core6.database import data_directory
from core6.database.data_directory import Unusable
from tests.support.places import without_rights


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch) -> Path:
    root = tmp_path / "checkout"
    root.mkdir()
    monkeypatch.setattr(data_directory, "ROOT", root)
    return root


def test_a_configured_directory_is_taken_as_it_is(checkout: Path):
    (checkout / ".core6").mkdir()
    (checkout / ".core6" / "location").write_text("/elsewhere\n")
    assert data_directory.locate("/srv/core6") == Path("/srv/core6")


def test_a_relative_directory_belongs_to_where_the_command_runs(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert data_directory.locate("data") == tmp_path / "data"


def test_a_tilde_is_the_home_directory(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    assert data_directory.locate("~/data") == Path("/home/somebody/data")


def test_the_default_is_beside_the_code(checkout: Path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert data_directory.locate(None) == checkout / ".core6"


def test_root_keeps_its_data_where_the_database_can_enter(checkout: Path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(data_directory, "is_open_to_others", lambda path: False)
    found = data_directory.locate(None)
    assert found.parent == Path("/var/lib/core6")
    assert data_directory.locate(None) == found
    monkeypatch.setattr(data_directory, "ROOT", checkout.with_name("another"))
    assert data_directory.locate(None) != found


def test_root_keeps_its_data_beside_code_that_is_open(checkout: Path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(data_directory, "is_open_to_others", lambda path: True)
    assert data_directory.locate(None) == checkout / ".core6"


def test_the_pointer_file_names_the_directory(checkout: Path):
    (checkout / ".core6").mkdir()
    (checkout / ".core6" / "location").write_text("/var/lib/core6/0123\n")
    assert data_directory.locate(None) == Path("/var/lib/core6/0123")


def test_locating_creates_nothing(checkout: Path):
    data_directory.locate(None)
    data_directory.locate(str(checkout / "data"))
    assert list(checkout.iterdir()) == []


def test_a_closed_directory_on_the_way_closes_all_below(tmp_path: Path):
    inner = tmp_path / "closed" / "open"
    inner.mkdir(parents=True)
    inner.chmod(0o755)
    (tmp_path / "closed").chmod(0o700)
    assert not data_directory.is_open_to_others(inner)


def test_what_does_not_exist_yet_closes_nothing():
    assert data_directory.is_open_to_others(Path("/not/there/yet"))


def test_a_prepared_directory_can_be_entered_but_not_listed(tmp_path: Path):
    directory = tmp_path / "a" / "b"
    data_directory.prepare(directory)
    data_directory.prepare(directory)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o711


def test_a_directory_in_a_read_only_one_is_refused(tmp_path: Path):
    (tmp_path / "closed").mkdir(mode=0o555)
    tmp_path.chmod(0o755)
    with without_rights(), pytest.raises(Unusable, match=r"cannot be written .*: set CORE6_DATA_DIR"):
        data_directory.prepare(tmp_path / "closed" / "data")


@pytest.mark.parametrize(("name", "is_noted"), [("found", True), ("configured", False)])
def test_only_a_directory_that_was_not_configured_is_noted_beside_the_code(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, name: str, is_noted: bool
):
    monkeypatch.setattr(data_directory, "directory_of_root", lambda: checkout / "found")
    data_directory.prepare(checkout / name)
    assert (checkout / ".core6" / "location").exists() is is_noted


def test_a_private_file_is_its_owners_alone(tmp_path: Path):
    before = os.umask(0)
    try:
        data_directory.write_private(tmp_path / "secret", "text")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert data_directory.read_private(tmp_path / "secret") == "text"


def test_a_private_file_replaces_one_that_was_open(tmp_path: Path):
    (tmp_path / "secret").write_text("old")
    (tmp_path / "secret").chmod(0o644)
    data_directory.write_private(tmp_path / "secret", "new")
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_what_a_kill_left_of_a_private_file_is_no_obstacle(tmp_path: Path):
    (tmp_path / "secret.new").write_text("ha")
    data_directory.write_private(tmp_path / "secret", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_no_file_and_an_empty_one_hold_no_secret(tmp_path: Path):
    (tmp_path / "empty").touch()
    assert data_directory.read_private(tmp_path / "none") is None
    assert data_directory.read_private(tmp_path / "empty") is None


def test_a_private_file_of_another_account_is_refused(tmp_path: Path):
    data_directory.write_private(tmp_path / "secret", "text")
    (tmp_path / "secret").chmod(0)
    tmp_path.chmod(0o755)
    with without_rights(), pytest.raises(Unusable, match="run this command as that account"):
        data_directory.read_private(tmp_path / "secret")


def test_a_secret_stays_what_it_is(tmp_path: Path):
    first = data_directory.secret(tmp_path / "secret")
    assert data_directory.secret(tmp_path / "secret") == first
    assert len(first) >= 50
    assert data_directory.secret(tmp_path / "another") != first


def test_commands_that_start_at_once_agree_on_a_secret(tmp_path: Path):
    start = Barrier(16)

    def first_use(_: int) -> str:
        start.wait()
        return data_directory.secret(tmp_path / "secret")

    with ThreadPoolExecutor(16) as threads:
        assert len(set(threads.map(first_use, range(16)))) == 1


def test_a_directory_has_one_owner(tmp_path: Path):
    lock = data_directory.lock(tmp_path)
    assert data_directory.owner(tmp_path) == str(os.getpid())
    with pytest.raises(BlockingIOError):
        data_directory.lock(tmp_path)
    lock.close()
    data_directory.lock(tmp_path).close()


def test_a_directory_without_an_owner_says_so(tmp_path: Path):
    assert data_directory.owner(tmp_path) == "unknown"
