"""What is locked: the ranges of pyproject.toml, floors below which holes are known, hashes, and no host."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from core6.settings import BASE_DIR

PROJECT = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())
DIRECT = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
LOCK = BASE_DIR / "requirements.lock"
PIP_LOCKS = sorted(path for path in (*BASE_DIR.glob("*.lock"), *BASE_DIR.glob("tests/suites/*/*.lock")))
NPM_LOCKS = sorted(BASE_DIR.glob("tests/suites/*/package-lock.json"))

#: The first version without a known hole, and which that was.
FLOORS = {
    "cryptography": ("44.0.1", "CVE-2024-12797: its OpenSSL took unauthenticated servers for authenticated"),
    "django": ("5.2.19", "the floor of this project"),
    "djangorestframework": ("3.15.2", "CVE-2024-21520: scripts in the browsable API"),
    "orjson": ("3.9.15", "CVE-2024-27454: endless recursion while reading"),
    "pydantic": ("2.4.0", "CVE-2024-3772: a regular expression of addresses that takes for ever"),
    "pyjwt": ("2.10.1", "CVE-2024-53861: a part of an issuer passes for the issuer"),
    "pyyaml": ("5.4", "CVE-2020-14343: code in a document is run"),
    "sqlparse": ("0.5.0", "CVE-2024-4340: endless recursion"),
}


def entries(path: Path) -> list[str]:
    """Return each locked package, with its hashes."""
    lines = (line for line in path.read_text().splitlines() if not line.lstrip().startswith("#"))
    return [entry for entry in re.split(r"\n(?=\S)", "\n".join(lines)) if entry.strip()]


def pins(path: Path) -> dict[str, set[Version]]:
    """Return the versions of each package; one that depends on the platform or on Python may have several."""
    found: dict[str, set[Version]] = {}
    for entry in entries(path):
        name, version = re.match(r"([\w.-]+)(?:\[[^]]*\])?==([\w.+!-]+)", entry).groups()  # type: ignore[union-attr]
        found.setdefault(canonicalize_name(name), set()).add(Version(version))
    return found


PINS = pins(LOCK)


@pytest.mark.parametrize("requirement", DIRECT, ids=str)
def test_what_is_locked_is_in_range_and_the_range_has_a_floor(requirement: Requirement):
    versions = PINS[canonicalize_name(requirement.name)]
    assert all(requirement.specifier.contains(version) for version in versions)
    assert any(each.operator == ">=" for each in requirement.specifier)


@pytest.mark.parametrize("name", FLOORS)
@pytest.mark.parametrize("path", PIP_LOCKS, ids=lambda path: path.relative_to(BASE_DIR).as_posix())
def test_no_hole_is_known(name: str, path: Path):
    floor, why = FLOORS[name]
    # What other people's clients bring is theirs.
    if path.parent.name != "clients":
        assert all(version >= Version(floor) for version in pins(path).get(name, ())), why


def test_the_floors_are_of_what_is_installed():
    assert set(FLOORS) <= set(PINS)


def test_django_is_safe_however_it_is_installed():
    """An installation without the lock gets no version from below the floor either."""
    django = next(each for each in DIRECT if each.name == "django")
    assert not django.specifier.contains("5.2.18")
    assert django.specifier.contains("5.2.19")


@pytest.mark.parametrize("path", PIP_LOCKS, ids=lambda path: path.relative_to(BASE_DIR).as_posix())
def test_a_lock_file_has_hashes_and_no_host(path: Path):
    assert entries(path)
    for entry in entries(path):
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry
    text = path.read_text()
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host|^-[if]\b", text, re.MULTILINE)


@pytest.mark.parametrize("path", NPM_LOCKS, ids=lambda path: path.relative_to(BASE_DIR).as_posix())
def test_an_npm_lock_file_has_hashes_and_no_host(path: Path):
    packages = json.loads(path.read_text())["packages"]
    for name, package in packages.items():
        assert "resolved" not in package, name
        assert not name or package["integrity"].startswith("sha512-"), name


def test_every_lock_file_is_looked_at():
    not_ours = {".venv", "node_modules", ".git", ".core6"}  # the last is what `make run` leaves beside the sources
    hidden = {path for path in BASE_DIR.rglob("*lock*") if not_ours & set(path.parts)}
    named = {path for path in BASE_DIR.rglob("*") if path.name.endswith(".lock") or path.name == "package-lock.json"}
    assert {*PIP_LOCKS, *NPM_LOCKS} == named - hidden
