"""core6/docs/provisioning.md: its tables have every key, and its examples are provisioned exactly as they stand."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # the library has no types

from cohorts.models import Cohort
from core6.accounts.models import Organization
from core6.analytics.models import DistinctId
from core6.management.commands.provision import provision_file
from core6.provisioning.project_entries import ProjectEntry
from core6.provisioning.world import WorldError
from core6.settings import BASE_DIR
from projects.serializers import WRITABLE
from tests.conftest import Caller
from tests.support.cohorts.people import work
from tests.support.documents import files
from tests.support.provisioning_tables import PARTS, SCHEMA, keys

PAGE = BASE_DIR / "core6" / "docs" / "provisioning.md"
FILES = files(PAGE)
ANY = "…"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def agrees(shown: Any, found: Any) -> bool:
    """Return whether a value is as the page shows it: numbers differ each time, and what the page leaves out."""
    if isinstance(shown, dict):
        if shown == {ANY: ANY}:
            return isinstance(found, dict)
        return shown.keys() == found.keys() and all(agrees(shown[name], found[name]) for name in shown)
    if isinstance(shown, list):
        return len(shown) == len(found) and all(map(agrees, shown, found))
    if isinstance(shown, str):
        return re.fullmatch(re.escape(shown).replace(re.escape(ANY), ".+"), found) is not None
    return isinstance(found, int)


def test_the_tables_are_made_of_the_types():
    """If they are not: `python -m tests.support.provisioning_tables` prints them."""
    assert f"## All keys\n\n{keys()}\n\n## " in PAGE.read_text()


def test_no_key_is_missing():
    rows = set(re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE))
    entries = [part for name, part in PARTS.items() if name.endswith(("Entry", "Record"))]
    assert rows == {*SCHEMA["properties"], *(name for part in entries for name in part["properties"])}
    assert rows >= WRITABLE | set(ProjectEntry.model_fields)


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".yaml") and name != "mistakes.yaml"])
def test_the_examples_meet_the_schema(name: str):
    assert list(Draft202012Validator(SCHEMA).iter_errors(yaml.safe_load(FILES[name]))) == []


@pytest.mark.django_db
def test_the_first_example_is_provisioned_and_printed_as_the_page_says(directory: Path):
    made = provision_file(str(directory / "world.yaml"))
    (shown,) = re.findall(r"^```json\n(\{\"users\".*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert agrees(json.loads(shown), made), made
    work()
    assert dict(Cohort.objects.values_list("name", "count")) == {"Paying": 1, "Buyers": 1, "Friends": 2}
    web = made["organizations"]["Acme"]["projects"]["Web"]["id"]
    notes = Caller(made["api_keys"]["ci"]["value"]).get(f"/api/projects/{web}/annotations/").json()
    assert [each["content"] for each in notes["results"]] == ["Launched"]


@pytest.mark.django_db
def test_the_example_of_files_is_provisioned(directory: Path):
    made = provision_file(str(directory / "large.yaml"))["organizations"]["Globex"]["projects"]["Shop"]
    assert (made["person_count"], made["event_count"]) == (2, 2)
    assert set(DistinctId.objects.values_list("distinct_id", flat=True)) == {"visitor-1", "visitor-2", "device-9"}


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["world.yaml", "large.yaml"])
def test_a_second_run_prints_the_same(directory: Path, name: str):
    assert provision_file(str(directory / name)) == provision_file(str(directory / name))


@pytest.mark.django_db
def test_the_mistakes_are_named_as_the_page_says(directory: Path):
    with pytest.raises(WorldError) as refusal:
        provision_file(str(directory / "mistakes.yaml"))
    assert f"CommandError: {refusal.value}\n" == FILES["mistakes.txt"]
    assert not Organization.objects.exists()
