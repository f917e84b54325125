"""The units of systemd in core6/docs/operation.md, read as systemd reads them; systemd 252 accepts them."""

import configparser
import shlex

import pytest

from core6.management.environment import ENVIRONMENT
from tests.support.documents import files
from tests.test_containers import check_manage_command

UNITS = {name.rpartition("/")[2]: text for name, text in files().items() if name.endswith(".service")}
#: What a unit has of its own; the rest of a service, which shuts it in, is the same.
_OWN = {"execstart", "execstartpre"}


def unit(name: str) -> configparser.ConfigParser:
    read = configparser.ConfigParser(interpolation=None)
    read.read_string(UNITS[name])
    return read


def test_there_is_one_unit_of_web_servers_and_one_of_each_worker():
    assert list(UNITS) == ["core6-web.service", "core6-worker@.service"]


@pytest.mark.parametrize("name", UNITS)
def test_its_commands_are_commands_of_manage(name: str):
    service = unit(name)["Service"]
    for key in _OWN & set(service):
        python, *rest = shlex.split(service[key])
        assert python == f"{service['WorkingDirectory']}/.venv/bin/python"
        check_manage_command(["python", *rest])


@pytest.mark.parametrize("name", UNITS)
def test_a_stop_has_the_time_that_it_needs(name: str):
    service = unit(name)["Service"]
    assert 10 < int(service["TimeoutStopSec"]) <= 20
    assert service["KillMode"] == "mixed"
    assert service["Restart"] == "always"


def test_both_are_shut_in_alike():
    web, worker = ({key: value for key, value in unit(name)["Service"].items() if key not in _OWN} for name in UNITS)
    assert web == worker
    assert (web["nonewprivileges"], web["privatetmp"], web["protectsystem"]) == ("true", "true", "strict")


def test_the_environment_is_settings():
    (path,) = {unit(name)["Service"]["EnvironmentFile"] for name in UNITS}
    lines = [line for line in files()[path].splitlines() if not line.startswith("#")]
    given = dict(line.split("=", 1) for line in lines)
    assert set(given) <= set(ENVIRONMENT)
    assert given["IS_BEHIND_PROXY"] == "true"
    assert given["SECRET_KEY"] == "", "a secret is in the documentation"
    assert given["CORE6_DATA_DIR"] == f"/var/lib/{unit('core6-web.service')['Service']['StateDirectory']}"
    assert f"server_name {given['ALLOWED_HOSTS']};" in files()["/etc/nginx/conf.d/core6.conf"]
