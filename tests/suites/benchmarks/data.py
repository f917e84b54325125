"""What is read and written by the benchmark of requests: one world, the same rows at each run.

An organization of 20 members with 10 roles of 20 members each; a project that lists 10,000 annotations, ten of them
shared by its sibling, and 100 cohorts; an empty project to write into; a project whose 10,000 annotations are changed;
and another organization's 10,000 annotations.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core6.database.embedded import connection_settings
from tests.suites.benchmarks.people import TRIES
from tests.support.places import connect
from tests.support.serving import Serve, manage

ANNOTATIONS = 10_000
COHORTS = 100
_SHARED, _DELETED, _MEMBERS, _ROLES = 10, 100, 20, 10
_EMAILS = [f"member{i}@example.com" for i in range(_MEMBERS)]
_STARTS = "cart mail page shop user plan team data form file code host cash book news ship time road work home".split()
_ENDS = "board flow link list sync mark view type grid pack desk rank stat port gate bell lane node clip tile".split()
#: Every note has five of these 400 words, one of each 80, so that each word is in 125 of 10,000 notes.
WORDS = tuple(start + end for start in _STARTS for end in _ENDS)
#: What a note says before and after it is changed.
_BEFORE, AFTER = "We shall launch", "We launched late"


@dataclass(frozen=True)
class World:
    """Ids and keys of what was made."""

    organization: str
    project: int
    writing: int
    changing: int
    annotation: int
    #: Every note that the project has itself, and every note of the project whose notes are changed.
    annotations: tuple[int, ...]
    changed: tuple[int, ...]
    #: The address of a note of the same organization that no other work reads.
    elsewhere: str
    key: str
    #: Keys that must not reach a project, by the status that each gets instead.
    refused: dict[str, int]
    #: The key of a member of the other organization: 403, except where the address leads to the caller's own project.
    stranger: str


def fill(server: Serve) -> World:
    """Make the world through the server's own commands and API, and its many rows by SQL."""
    given = server.directory.with_name("world.json")
    given.write_text(json.dumps(_declared()))
    done = manage(server.directory, "provision", str(given))
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    ours = made["organizations"]["Bench"]
    names = ("Read", "Sibling", "Written", "Changed")
    project, sibling, writing, changing = (ours["projects"][name]["id"] for name in names)
    foreign = made["organizations"]["Other"]["projects"]["Foreign"]["id"]
    keys = {label: entry["value"] for label, entry in made["api_keys"].items()}
    for number in range(COHORTS):
        body = {"name": f"Cohort {number}", "filters": TRIES[number % len(TRIES)].filters}
        status, cohort = server.call("POST", f"/api/projects/{project}/cohorts/", body, keys["bench"])
        assert status == 201, cohort
    with connect(server.directory) as connection:
        for of, scope, rows in (
            (project, "project", ANNOTATIONS - _SHARED + _DELETED),
            (sibling, "project", ANNOTATIONS // 10),
            (sibling, "organization", _SHARED),
            (foreign, "project", ANNOTATIONS),
            (changing, "project", ANNOTATIONS),
        ):
            values = {"project": of, "scope": scope, "rows": rows, "words": list(WORDS)}
            connection.execute(_ANNOTATIONS, values)
        connection.execute(_SOME_DELETED, {"project": project, "deleted": _DELETED})
        connection.execute(_COMPUTED, {"project": project})
        connection.execute(_SOME_FAILED, {"project": project})
        connection.execute(_LOOKED_AT, {"project": project, "email": _EMAILS[0]})
        connection.execute(_CHANGED_BACK, {"project": changing, "content": _BEFORE})
        row = connection.execute(_ONE_OF_ALL, {"project": project}).fetchone()
        assert row
        read, listed, beside = (
            tuple(each[0] for each in connection.execute(_IDS, {"project": of})) for of in (project, changing, sibling)
        )
    steady(server.directory)
    return World(
        organization=ours["id"],
        project=project,
        writing=writing,
        changing=changing,
        annotation=row[0],
        annotations=read,
        changed=listed,
        elsewhere=f"/api/projects/{sibling}/annotations/{beside[0]}/",
        key=keys["bench"],
        refused={"phx_of_nobody_at_all": 401, keys["asleep"]: 401, keys["scopeless"]: 403},
        stranger=keys["stranger"],
    )


def steady(directory: Path) -> None:
    """Let the database do nothing on its own: a vacuum or a checkpoint would hit one of the peers by chance."""
    with connect(directory) as connection:
        connection.autocommit = True
        for name, value in (("autovacuum", "off"), ("checkpoint_timeout", "'1h'"), ("max_wal_size", "'8GB'")):
            connection.execute(f"ALTER SYSTEM SET {name} = {value}".encode())
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("VACUUM (ANALYZE, FREEZE)")
        connection.execute("CHECKPOINT")


def take_back(directory: Path, world: World) -> tuple[int, int]:
    """Undo what was written; return how many annotations and how many rows of the activity log there were."""
    with connect(directory) as connection:
        connection.autocommit = True
        made, changed, logged = (
            connection.execute(statement, values).rowcount
            for statement, values in (
                (_CREATED, {"project": world.writing}),
                (_CHANGED_BACK, {"project": world.changing, "content": _BEFORE}),
                (_LOGGED, {"projects": [world.writing, world.changing]}),
            )
        )
        connection.execute("VACUUM annotations_annotation, activity_activitylog")
    return made + changed, logged


def logged(directory: Path, world: World) -> list[dict[str, Any]]:
    """Return what the activity log says of what was written."""
    with connect(directory) as connection:
        rows = connection.execute(_LOG, {"projects": [world.writing, world.changing]}).fetchall()
    return [dict(zip(("user", "activity", "is_of_written", "detail"), row, strict=True)) for row in rows]


def environment_of_peers(directory: Path) -> dict[str, str]:
    """Return where the database is, in the variables that every Postgres client reads."""
    where = connection_settings(directory)
    return {
        "PGHOST": where["HOST"],
        "PGPORT": where["PORT"],
        "PGUSER": where["USER"],
        "PGDATABASE": where["NAME"],
        "PGPASSFILE": where["OPTIONS"]["passfile"],
        "CORE6_DATA_DIR": str(directory),
    }


def _declared() -> dict[str, Any]:
    users: list[dict[str, Any]] = [
        {"email": email, "first_name": f"Member {i}", "last_name": "Of Bench", "role_at_organization": "engineering"}
        for i, email in enumerate(_EMAILS)
    ]
    users[1]["hedgehog_config"] = {"color": "red", "skin": "default", "unknown": 1}
    users += [{"email": "asleep@example.com", "is_active": False}, {"email": "stranger@example.com"}]
    return {
        "users": users,
        "organizations": [
            {
                "name": "Bench",
                "members": {**dict.fromkeys([*_EMAILS, "asleep@example.com"], "member"), _EMAILS[0]: "owner"},
                "roles": [{"name": f"Role {i}", "members": _EMAILS} for i in range(_ROLES)],
                "default_role": "Role 3",
                "projects": [
                    {
                        "name": "Read",
                        "dashboards": [{"name": f"Dashboard {i}"} for i in range(5)],
                        "insights": [{"name": f"Insight {i}", "derived_name": f"Trend {i}"} for i in range(5)],
                        "group_types": [{"group_type": "company"}],
                    },
                    {"name": "Sibling"},
                    {"name": "Written"},
                    {"name": "Changed"},
                ],
            },
            {"name": "Other", "members": {"stranger@example.com": "owner"}, "projects": [{"name": "Foreign"}]},
        ],
        "api_keys": [
            {"label": "bench", "user": _EMAILS[0], "scopes": ["*"]},
            {"label": "asleep", "user": "asleep@example.com", "scopes": ["*"]},
            {"label": "stranger", "user": "stranger@example.com", "scopes": ["*"]},
            {"label": "scopeless", "user": _EMAILS[0], "scopes": ["person:read"]},
        ],
    }


# Notes of a size that people write, spread over authors; every seventh belongs to a dashboard, every eleventh to an
# insight; some of the moments have parts of a second.
_ANNOTATIONS = b"""
INSERT INTO annotations_annotation (organization_id, project_id, content, date_marker, creation_type,
    dashboard_item_id, dashboard_id, created_by_id, created_at, updated_at, deleted, scope)
SELECT p.organization_id, p.id, format('Release %%s: %%s', n, w.words),
    timestamptz '2026-01-01 00:00Z' + n * interval '37 minutes',
    CASE WHEN n %% 5 = 0 THEN 'GIT' ELSE 'USR' END,
    CASE WHEN n %% 11 = 0 THEN i.ids[n %% 5 + 1] END, CASE WHEN n %% 7 = 0 THEN d.ids[n %% 5 + 1] END,
    m.ids[n %% cardinality(m.ids) + 1],
    timestamptz '2026-01-01 00:00:01Z' + n * interval '37 minutes 1.230 milliseconds',
    timestamptz '2026-01-01 00:00:02Z' + n * interval '37 minutes 1.237 milliseconds', false, %(scope)s
FROM projects_project p, generate_series(1, %(rows)s) n,
    LATERAL (SELECT array_agg(id ORDER BY id) ids FROM analytics_dashboard WHERE project_id = p.id) d,
    LATERAL (SELECT array_agg(id ORDER BY id) ids FROM analytics_insight WHERE project_id = p.id) i,
    LATERAL (SELECT array_agg(user_id ORDER BY user_id) ids FROM accounts_membership
             WHERE organization_id = p.organization_id) m,
    LATERAL (SELECT string_agg((%(words)s::text[])[80 * place - 79 + n * step %% 80], ' ' ORDER BY place) words
             FROM unnest(array[1, 3, 7, 9, 11]) WITH ORDINALITY s (step, place)) w
WHERE p.id = %(project)s
"""
_SOME_DELETED = b"""
UPDATE annotations_annotation SET deleted = true
WHERE project_id = %(project)s AND id IN (SELECT id FROM annotations_annotation WHERE project_id = %(project)s
    ORDER BY id %% 89, id LIMIT %(deleted)s)
"""
_ONE_OF_ALL = b"""
SELECT min(id) FROM annotations_annotation
WHERE project_id = %(project)s AND NOT deleted AND dashboard_id IS NOT NULL AND dashboard_item_id IS NOT NULL
"""
_IDS = b"""
SELECT id FROM annotations_annotation
WHERE project_id = %(project)s AND scope = 'project' AND NOT deleted ORDER BY id
"""
_LOOKED_AT = b"""
UPDATE accounts_user u SET current_project_id = p.id, current_organization_id = p.organization_id
FROM projects_project p WHERE p.id = %(project)s AND u.email = %(email)s
"""
_CREATED = b"DELETE FROM annotations_annotation WHERE project_id = %(project)s"
_CHANGED_BACK = b"""
UPDATE annotations_annotation SET content = %(content)s WHERE project_id = %(project)s AND content <> %(content)s
"""
_LOGGED = b"DELETE FROM activity_activitylog WHERE scope = 'Annotation' AND project_id = ANY(%(projects)s)"
_LOG = b"""
SELECT l.user_id, l.activity, a.id IS NOT NULL, l.detail
FROM activity_activitylog l LEFT JOIN annotations_annotation a ON a.id::text = l.item_id
    AND a.project_id = l.project_id AND a.organization_id = l.organization_id
WHERE l.scope = 'Annotation' AND l.project_id = ANY(%(projects)s)
"""
_COMPUTED = b"""
UPDATE cohorts_cohort SET is_calculating = false, version = pending_version, count = id * 7,
    last_calculation = created_at + interval '3 seconds'
WHERE project_id = %(project)s
"""
_SOME_FAILED = b"""
INSERT INTO cohorts_calculation (id, cohort_id, filters, started_at, finished_at, error, error_code)
SELECT uuidv7(), id, filters, now(), now(), 'It took too long.', 'timeout' FROM cohorts_cohort
WHERE project_id = %(project)s AND id %% 10 = 0
"""
