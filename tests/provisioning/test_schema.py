"""The JSON Schema of a provisioning file: what the file is made of, as editors read it."""

import io
import json
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # the library has no types

from annotations.models import Annotation
from core6.accounts import scopes
from core6.analytics.records import EVENT_KEYS, PERSON_KEYS
from core6.provisioning.schema import json_schema
from core6.serving.demo_world import DEMO_WORLD
from core6.settings import BASE_DIR
from projects.serializers import WRITABLE

FILE = BASE_DIR / "core6" / "provisioning" / "schema.json"
SCHEMA: dict[str, Any] = json.loads(FILE.read_text())
PARTS = SCHEMA["$defs"]


def errors(text: str) -> list[str]:
    data = yaml.load(text, Loader=yaml.BaseLoader) if "2026-" in text else yaml.safe_load(text)
    return [error.message for error in Draft202012Validator(SCHEMA).iter_errors(data)]


def test_the_file_is_what_is_made_of_the_types():
    """If it is not: `make schema` writes it anew."""
    assert FILE.read_text() == json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def test_the_command_prints_it_without_a_database():
    out = io.StringIO()
    call_command("provision", "--schema", stdout=out)
    assert out.getvalue() == FILE.read_text()


def test_the_command_needs_a_file_or_the_option():
    with pytest.raises(CommandError, match="name a FILE, or print its JSON Schema by --schema"):
        call_command("provision")


def test_it_is_a_schema():
    Draft202012Validator.check_schema(SCHEMA)


def test_the_demo_world_is_valid_and_names_it():
    text = DEMO_WORLD.read_text()
    assert errors(text) == []
    first, *_ = text.splitlines()
    assert first.startswith("# yaml-language-server: $schema=")
    assert (DEMO_WORLD.parent / first.partition("=")[2]).resolve() == FILE


def test_projects_have_all_fields_that_can_be_written():
    assert set(PARTS["ProjectEntry"]["properties"]) >= WRITABLE
    assert "Europe/Berlin" in PARTS["ProjectEntry"]["properties"]["timezone"]["enum"]
    assert PARTS["ProjectEntry"]["properties"]["business_model"]["enum"] == ["b2b", "b2c", "other", "", None]


def test_records_have_the_keys_that_the_loader_knows():
    assert set(PARTS["PersonRecord"]["properties"]) == PERSON_KEYS
    assert set(PARTS["EventRecord"]["properties"]) == EVENT_KEYS


def test_values_are_those_that_are_known():
    assert PARTS["KeyEntry"]["properties"]["scopes"]["items"]["enum"] == sorted(scopes.EVERY)
    shown = set(Annotation.Scope.values) - {Annotation.Scope.RECORDING}
    assert set(PARTS["AnnotationEntry"]["properties"]["scope"]["enum"]) == shown


@pytest.mark.parametrize("part", PARTS)
def test_each_property_of_the_file_is_described(part: str):
    if part.endswith(("Entry", "Record")):
        assert [name for name, each in PARTS[part]["properties"].items() if not each.get("description")] == []


PROJECT = "organizations: [{name: A, projects: [{name: B, %s}]}]"
PERSON = "{distinct_ids: [a], created_at: %s}"


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        PROJECT % "persons: persons.ndjson, events: [{distinct_id: a, event: b, timestamp: -1h}]",
        PROJECT % f"persons: [{PERSON % '2026-01-01'}]",
        PROJECT % "primary_dashboard: Launch, app_urls: [null], slack_incoming_webhook: null, week_start_day: 1",
        PROJECT
        % "cohorts: [{name: C, filters: {properties: {type: AND, values: [{type: cohort, key: id, value: D}]}}}]",
        PROJECT % "annotations: [{content: C, date_marker: null}]",
        "users: [{email: a@x.io, role_at_organization: null, is_email_verified: null}]",
    ],
)
def test_it_accepts_what_a_file_may_be(text: str):
    assert errors(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "people: []",
        "users: [{}]",
        "users: [{email: a@x.io, role_at_organization: boss}]",
        "organizations: [{name: A, members: {a@x.io: boss}}]",
        PROJECT % "timezone: Mars",
        PROJECT % "uuid: x",
        PROJECT % "persons: [{distinct_id: a}]",
        PROJECT % "annotations: [{content: C, scope: recording}]",
        PROJECT
        % "cohorts: [{name: C, filters: {properties: {type: AND, values: [{key: a, operator: exact, value: b}]}}}]",
        'api_keys: [{label: a, user: b, scopes: ["anotation:read"]}]',
    ],
)
def test_it_refuses_what_is_refused(text: str):
    assert errors(text) != []
