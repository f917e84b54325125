"""Every error of a file is a line, and what was probably meant stands beside it."""

import json
from collections.abc import Iterator
from copy import deepcopy
from functools import reduce
from operator import getitem
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from core6.accounts.models import Organization, User
from core6.analytics.models import Event
from core6.provisioning.provision import provision_text
from core6.provisioning.world import WorldError, read
from core6.settings import BASE_DIR
from projects.models import Project
from tests.support.documents import files

LEVELS = "expected one of member, admin, owner"
P = "organizations[0].projects[0]"
MANY = """
users:
  - {email: nobody}
  - {email: a@x.io, frist_name: A, role_at_organization: enginering}
organisations: []
organizations:
  - name: Acme
    members: {a@x.io: ownr, zoe@x.io: member, nobody: admin}
    roles: [{name: R, members: [nobody, zoe@x.io, bob@x.io], created_by: ann@x.io}]
    default_role: S
    projects:
      - name: Web
        timezone: Europe/Berln
        tmezone: UTC
        week_start_day: 7
        app_urls: [5, []]
        primary_dashboard: E
        persons: [{distinct_ids: [p1]}, {distinct_id: [p2]}, {}]
        events: none.ndjson
        cohorts:
          - name: C
            filters: {properties: {type: AND, values: [{type: person, key: plan, operatr: exact, value: x}]}}
          - {name: S, is_static: true, members: [p1, p9]}
          - {name: T, members: [p1]}
          - {name: N, filters: {properties: {type: AND, values: [{type: cohort, key: id, value: Z}]}}}
        annotations:
          - {content: a, date_marker: soon}
          - {content: b, scope: projet}
          - {content: c, dashboard: F, insight: I}
api_keys:
  - label: ci
    user: bob@x.io
    scopes: ["anotation:read", "*", "cohort:wrte"]
    scoped_organizations: [Globex]
    scoped_projects: [Acme/Web, Acme/App]
  - {label: ci, user: a@x.io, scopes: ["*"]}
"""
#: Follow-ups of other errors are none, such as that a member is unknown whose email is invalid.
ALL = f"""
users[0].email: Enter a valid email address.
users[1].role_at_organization: Value 'enginering' is not a valid choice, did you mean engineering?
users[1].frist_name: unknown property, did you mean first_name?
organizations[0].members: a@x.io: 'ownr' is no level, expected one of member, admin, owner, did you mean owner?
{P}.cohorts[0].filters.properties.values[0].operatr: unknown property, did you mean operator?
{P}.cohorts[2].members: only a static cohort is given its members: add is_static: true
{P}.annotations[0].date_marker: 'soon' is no ISO 8601 time, and not so long ago as -12h or -3d (units h, d, w, m, y)
{P}.annotations[1].scope: Input should be 'dashboard_item', 'dashboard', 'project' or 'organization', \
did you mean project?
api_keys[0].scopes: there is no scope 'anotation:read', did you mean annotation:read?
api_keys[0].scopes: there is no scope 'cohort:wrte', did you mean cohort:write?
organisations: unknown property, did you mean organizations?
api_keys[1].label: 'ci' stands twice, labels are unique in a file
organizations[0].members.zoe@x.io: there is no user 'zoe@x.io': add one to users
organizations[0].roles[0].created_by: there is no user 'ann@x.io': add one to users
organizations[0].default_role: there is no role 'S': add one to roles
{P}.tmezone: unknown property, did you mean timezone?
{P}.primary_dashboard: there is no dashboard 'E': add one to dashboards
{P}.app_urls: Not a valid string.
{P}.timezone: "Europe/Berln" is not a valid choice, did you mean Europe/Berlin?
{P}.week_start_day: "7" is not a valid choice.
{P}.persons[1].distinct_id: unknown property, did you mean distinct_ids?
{P}.persons[2].distinct_ids: this property is required
{P}.events: none.ndjson cannot be read: No such file or directory
{P}.cohorts[3].filters: there is no cohort 'Z': add one to cohorts, before this one
{P}.annotations[2].dashboard: there is no dashboard 'F': add one to dashboards
api_keys[0].scoped_organizations[0]: there is no organization 'Globex'
api_keys[0].scoped_projects[1]: there is no project 'Acme/App': write organization/project
api_keys[0].user: there is no user 'bob@x.io': add one to users
"""


def lines(text: str, base: Path | None = None) -> list[str]:
    """Return the lines of the errors; nothing may have been written."""
    with pytest.raises(WorldError) as refusal:
        provision_text(text, base=base)
    assert [model for model in (Organization, User, Project) if model._default_manager.exists()] == []
    assert str(refusal.value).splitlines() == list(refusal.value.lines)
    return list(refusal.value.lines)


@pytest.mark.django_db
def test_all_errors_of_a_file_are_named_at_once_and_nothing_is_written(tmp_path: Path):
    assert lines(MANY, tmp_path) == ALL.strip().splitlines()


@pytest.mark.django_db
def test_each_bad_line_of_a_file_of_records_is_named(tmp_path: Path):
    good = '{"distinct_id": "a", "event": "b", "timestamp": "-1h"}'
    bad = ["{", '{"distinct_id": "a", "evnt": "b", "timestamp": "-1h"}', "5", "", good.replace("-1h", "now")]
    (tmp_path / "events.ndjson").write_text("\n".join([good, *bad, good]))
    text = "organizations: [{name: Acme, projects: [{name: Web, events: events.ndjson}]}]"
    no_time = "'now' is no ISO 8601 time, and not so long ago as -12h or -3d (units h, d, w, m, y)"
    of_json, *others = lines(text, tmp_path)
    assert of_json.startswith(f"{P}.events: line 2 of events.ndjson: no JSON: ")
    assert others == [
        f"{P}.events: line 3 of events.ndjson: evnt: unknown property, did you mean event?",
        f"{P}.events: line 4 of events.ndjson: expected an object, got 5",
        f"{P}.events: line 6 of events.ndjson: timestamp: {no_time}",
    ]
    assert not Event.objects.exists()


@pytest.mark.django_db
def test_of_many_bad_lines_the_first_hundred_are_looked_at(tmp_path: Path):
    (tmp_path / "events.ndjson").write_text("{}\n" * 100 + "no JSON\n" * 1_000)
    text = "organizations: [{name: Acme, projects: [{name: Web, events: events.ndjson}]}]"
    found = lines(text, tmp_path)
    assert len(found) == 100
    assert found[-1] == f"{P}.events: line 100 of events.ndjson: event: this property is required"


def test_a_hundred_errors_are_shown_and_the_others_counted():
    with pytest.raises(WorldError) as refusal:
        read(f"users: [{', '.join(['{}'] * 250)}]")
    *shown, rest = str(refusal.value).splitlines()
    assert shown == [f"users[{i}].email: this property is required" for i in range(100)]
    assert rest == "and 150 more errors"


@pytest.mark.django_db
def test_the_two_users_of_one_unknown_name_are_both_named():
    text = 'organizations: [{name: A, members: {z@x.io: owner}}]\napi_keys: [{label: k, user: z@x.io, scopes: ["*"]}]'
    message = "there is no user 'z@x.io': add one to users"
    assert lines(text) == [f"organizations[0].members.z@x.io: {message}", f"api_keys[0].user: {message}"]


@pytest.mark.django_db
def test_what_the_database_refuses_does_not_end_the_search():
    provision_text("organizations: [{name: Acme, projects: [{name: Web, api_token: phc_taken}]}]")
    text = """organizations: [{name: Globex, projects: [
      {name: One, api_token: phc_taken, timezone: Mars}, {name: Two, api_token: phc_taken}]}]"""
    with pytest.raises(WorldError) as refusal:
        provision_text(text)
    taken = "Key (api_token)=(phc_taken) already exists."
    assert refusal.value.lines == (
        f"{P}: {taken}",
        f'{P}.timezone: "Mars" is not a valid choice.',
        f"organizations[0].projects[1]: {taken}",
    )
    assert not Organization.objects.filter(name="Globex").exists()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("usres: []", "usres: unknown property, did you mean users?"),
        ("users: [{e-mail: a@x.io}]", "users[0].e-mail: unknown property, did you mean email?"),
        ("users: [{email: a@x.io, IS_STAFF: true}]", "users[0].IS_STAFF: unknown property, did you mean is_staff?"),
        (
            "organizations: [{name: A, project: []}]",
            "organizations[0].project: unknown property, did you mean projects?",
        ),
        (
            "organizations: [{name: A, projects: [{name: B, insights: [{name: C, derivd_name: D}]}]}]",
            f"{P}.insights[0].derivd_name: unknown property, did you mean derived_name?",
        ),
        ("organizations: [{name: A, zzz: 1}]", "organizations[0].zzz: unknown property"),
        (
            "organizations: [{name: A, members: {a@x.io: Admin}}]",
            f"organizations[0].members: a@x.io: 'Admin' is no level, {LEVELS}, did you mean admin?",
        ),
        (
            "organizations: [{name: A, projects: [{name: B, annotations: [{content: C, creation_type: US}]}]}]",
            f"{P}.annotations[0].creation_type: Value 'US' is not a valid choice, did you mean USR?",
        ),
    ],
)
def test_what_was_probably_meant_is_named(text: str, line: str):
    with pytest.raises(WorldError) as refusal:
        read(text)
    assert line in refusal.value.lines


WORLD = yaml.safe_load(files(BASE_DIR / "core6" / "docs" / "provisioning.md")["world.yaml"])
VALUES: list[Any] = [None, 5, -1.5, True, "", "x", "x" * 9_000, [], {}, [[]], [None], {"a": 1}, "\0", "\ud800"]
VALUES += [float("nan"), 10**400, "-3d", {"type": "cohort"}, {"type": "cohort", "key": "id", "value": "x"}]


def places(value: Any, *at: Any) -> Iterator[tuple[Any, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield (*at, key)
        yield from places(part, *at, key)


def spoil(random: Random, world: Any) -> None:
    """Replace, remove, rename or repeat one part of a world."""
    *way, key = random.choice(list(places(world)))
    holder = reduce(getitem, way, world)
    what = random.random()
    if what < 0.6:
        holder[key] = random.choice(VALUES)
    elif what < 0.75:
        del holder[key]
    elif isinstance(holder, list):
        holder.append(deepcopy(holder[key]))
    else:
        holder[f"{key}{random.choice(['x', chr(10), chr(0)])}"] = holder.pop(key)


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(60))
def test_whatever_is_wrong_is_named_in_lines(seed: int, tmp_path: Path, settings: Any):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    random, world = Random(seed), deepcopy(WORLD)
    for _ in range(random.randint(1, 6)):
        spoil(random, world)
    refusal = None
    try:
        provision_text(json.dumps(world), base=tmp_path)
    except WorldError as error:
        refusal = error
    if refusal:
        assert refusal.lines
        assert str(refusal).splitlines() == list(refusal.lines)
        assert not Organization.objects.exists()
