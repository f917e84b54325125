"""`manage.py verify`: sound worlds pass, each broken rule is reported, nothing is changed."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from annotations.models import Annotation
from cohorts.models import Calculation, Cohort
from core6.accounts.models import Membership
from core6.analytics.models import Dashboard, Insight
from core6.diagnosis import integrity
from core6.diagnosis.checks import Check
from core6.diagnosis.findings import Finding
from core6.idempotency.models import Answer
from core6.management.commands import verify
from core6.security.encryption import encrypt
from projects.models import Project
from roles.models import Role, RoleMembership
from tests.conftest import Caller, Cast
from tests.support.cohorts.people import all_of, did, leaf, person, work
from tests.support.places import ask, connect, place
from tests.support.serving import LIGHT, manage, refusal, serving, started_place

NAMES = [check.name for check in integrity.CHECKS]


@dataclass
class World:
    """Something of everything that the checks look at, and its numbers for statements."""

    cast: Cast
    dynamic: int
    static: int
    person: str
    annotation: int
    role: str

    def filled(self, text: str) -> str:
        """Return a text in which `{web}` and the like stood for numbers."""
        cast = self.cast
        known = {
            "web": cast.web.pk,
            "app": cast.app.pk,
            "globex_web": cast.globex_web.pk,
            "acme": cast.acme.pk,
            "globex": cast.globex.pk,
            "alice": cast.alice.pk,
            "dave": cast.dave.pk,
            "dynamic": self.dynamic,
            "static": self.static,
            "person": self.person,
            "annotation": self.annotation,
            "role": self.role,
            "secret": encrypt("phs_one"),
            "other_secret": encrypt("phs_two"),
        }
        return text.format(**known)

    def execute(self, statements: str) -> None:
        with connection.cursor() as cursor:
            for each in statements.split(";"):
                cursor.execute(self.filled(each))


def make_world(cast: Cast, alice: Caller) -> World:
    ann, ben = person(cast.web, "ann", plan="pro"), person(cast.web, "ben", plan="free")
    did(ann, "visit", cast.web.created_at)
    at = f"/api/projects/{cast.web.pk}"
    filters = all_of(leaf("plan", value="pro"))
    dynamic = alice.post(f"{at}/cohorts/", {"name": "paying", "filters": filters}).json()["id"]
    static = {"name": "both", "is_static": True, "_create_static_person_ids": [str(ann.uuid), str(ben.uuid)]}
    static_id = alice.post(f"{at}/cohorts/", static).json()["id"]
    depends = all_of({"type": "cohort", "key": "id", "value": dynamic})
    assert alice.post(f"{at}/cohorts/", {"name": "of paying", "filters": depends}).status_code == 201
    work()
    board = Dashboard.objects.create(project=cast.app, name="Launch")
    chart = Insight.objects.create(project=cast.web, name="Signups")
    note = alice.post(f"{at}/annotations/", {"content": "n", "scope": "project"})
    Annotation.objects.filter(pk=note.json()["id"]).update(dashboard=board, dashboard_item=chart)
    for _ in range(2):
        assert alice.request("PATCH", f"{at}/rotate_secret_token/").status_code == 200
    role = Role.objects.create(organization=cast.acme, name="Engineers")
    RoleMembership.objects.create(role=role, organization_member=Membership.objects.get(user=cast.bob))
    cast.acme.default_role = role
    cast.acme.save()
    once = {"headers": {"Idempotency-Key": "one"}}
    assert alice.post(f"{at}/annotations/", {"content": "once", "scope": "project"}, **once).status_code == 201
    return World(cast, dynamic, static_id, str(ann.uuid), note.json()["id"], str(role.pk))


@pytest.fixture
def world(cast: Cast, alice: Caller) -> World:
    return make_world(cast, alice)


def broken() -> dict[str, Finding]:
    return {each.name: each for each in integrity.findings() if each.count}


def job(task: str, *, lock: str = "x", status: str = "todo", **arguments: Any) -> str:
    """Return the statements that queue a job and bring it to a state, by which the library notes the time."""
    given = json.dumps(arguments).replace("{", "{{").replace("}", "}}")
    return (
        "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args)"
        f" VALUES ('default', '{task}', '{lock}', '{given}');"
        f"UPDATE procrastinate_jobs SET status = '{status}' WHERE task_name = '{task}'"
    )


_UNIQUE = "SET CONSTRAINTS ALL IMMEDIATE;ALTER TABLE projects_project DROP CONSTRAINT projects_project_api_token_key"
_DOING = job("a", status="doing")
_LATER = "UPDATE procrastinate_events SET at = now() - interval '41 s'"
_WORKER = "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '{} s')"
_ITS_JOB = "UPDATE procrastinate_jobs SET worker_id = (SELECT max(id) FROM procrastinate_workers)"
_UNFINISHED = (
    "INSERT INTO cohorts_calculation (id, cohort_id, filters, started_at)"
    " VALUES (gen_random_uuid(), {dynamic}, '{{}}', now())"
)
_CALCULATING = "UPDATE cohorts_cohort SET is_calculating = true WHERE id = {}"
_GONE = (
    "INSERT INTO analytics_person (project_id, uuid, properties, is_identified, created_at)"
    " VALUES (987654, gen_random_uuid(), '{{}}', false, now())"
)
_MEMBER = "INSERT INTO cohorts_cohortmember (project_id, cohort_id, person_uuid) VALUES ({web}, %s, %s)"
_OTHER_PERSON = _MEMBER % ("{static}", "gen_random_uuid()")

#: What breaks a rule, the rule, and a part of an example.
BREAKS = [
    ("UPDATE projects_project SET api_token = 'phx_1' WHERE id = {web}", "api_tokens", "project {web}"),
    ("UPDATE projects_project SET api_token = 'phc_a b' WHERE id = {app}", "api_tokens", "project {app}"),
    ("UPDATE projects_project SET api_token = '' WHERE id = {app}", "api_tokens", "project {app}"),
    (f"{_UNIQUE};UPDATE projects_project SET api_token = 'phc_same'", "api_tokens", "project {web}"),
    ("UPDATE projects_project SET secret_api_token = 'x' WHERE id = {web}", "secrets", "project {web}"),
    ("UPDATE projects_project SET secret_api_token_backup = 'ü' WHERE id = {web}", "secrets", "project {web}"),
    ("UPDATE projects_project SET secret_api_token = '' WHERE id = {web}", "secrets", "project {web}"),
    ("UPDATE idempotency_answer SET body = 'x'", "secrets", "answer "),
    (
        "UPDATE projects_project SET secret_api_token = NULL WHERE id = {web}",
        "secret_token_backups",
        "project {web}",
    ),
    (
        "UPDATE projects_project SET secret_api_token_backup = secret_api_token",
        "secret_token_backups",
        "project {web}",
    ),
    (
        (
            "UPDATE projects_project SET secret_api_token = '{secret}', secret_api_token_backup = '{secret}'"
            " WHERE id = {app}"
        ),
        "secret_token_backups",
        "project {app}",
    ),
    ("UPDATE cohorts_cohort SET count = count + 1 WHERE id = {dynamic}", "cohort_counts", "cohort {dynamic}"),
    ("UPDATE cohorts_cohort SET count = NULL WHERE id = {static}", "cohort_counts", "cohort {static}"),
    ("DELETE FROM cohorts_cohortmember WHERE cohort_id = {static}", "cohort_counts", "cohort {static}"),
    ("UPDATE cohorts_cohort SET version = NULL WHERE id = {dynamic}", "cohort_versions", "cohort {dynamic}"),
    ("UPDATE cohorts_cohort SET version = 99 WHERE id = {dynamic}", "cohort_versions", "cohort {dynamic}"),
    ("UPDATE cohorts_cohort SET pending_version = 99 WHERE id = {dynamic}", "cohort_versions", "cohort {dynamic}"),
    (_CALCULATING.format("{dynamic}"), "cohorts_calculating", "cohort {dynamic}"),
    (_CALCULATING.format("{static}"), "cohorts_calculating", "cohort {static}"),
    (
        f"{_CALCULATING.format('{static}')};{job('x', lock='cohort:{static}', status='failed')}",
        "cohorts_calculating",
        "cohort {static}",
    ),
    (_UNFINISHED, "calculations_unfinished", "of cohort {dynamic}"),
    (
        f"{_OTHER_PERSON};UPDATE cohorts_cohort SET count = count + 1 WHERE id = {{static}}",
        "cohort_members_persons",
        "of cohort {static}",
    ),
    (
        (
            "DELETE FROM analytics_person WHERE project_id = {web} AND uuid = '{person}';"
            "DELETE FROM analytics_distinctid WHERE project_id = {web} AND person_uuid = '{person}';"
            "INSERT INTO analytics_person (project_id, uuid, properties, is_identified, created_at)"
            " VALUES ({app}, '{person}', '{{}}', false, '2026-01-01Z')"
        ),
        "cohort_members_persons",
        "person {person}",
    ),
    (_MEMBER % ("987654", "'{person}'"), "cohort_members_cohorts", "cohort 987654"),
    (
        (
            "UPDATE analytics_distinctid SET person_uuid = '0195a0c0-0000-7000-8000-000000000000'"
            " WHERE distinct_id = 'ann'"
        ),
        "distinct_ids",
        "distinct id ann of project {web}",
    ),
    (
        (
            "INSERT INTO analytics_personoverride (project_id, old_uuid, new_uuid)"
            " VALUES ({web}, '0195a0c0-0000-7000-8000-000000000000', '0195a0c0-0000-7000-8000-000000000001')"
        ),
        "person_overrides",
        "of project {web}",
    ),
    (_GONE, "people_of_gone_projects", "project 987654"),
    (
        f"{_GONE};{job('core6.tasks.delete_people', project_id=987653)}",
        "people_of_gone_projects",
        "project 987654",
    ),
    (
        f"{_GONE};{job('core6.tasks.delete_people', status='failed', project_id=987654)}",
        "people_of_gone_projects",
        "project 987654",
    ),
    (
        (
            "INSERT INTO analytics_event (project_id, uuid, event, distinct_id, person_uuid, timestamp, properties)"
            " VALUES (987654, '{person}', 'visit', 'ann', '{person}', '2026-01-01Z', '{{}}')"
        ),
        "people_of_gone_projects",
        "project 987654",
    ),
    (
        "INSERT INTO analytics_distinctid VALUES (987654, 'a', gen_random_uuid())",
        "people_of_gone_projects",
        "project 987654",
    ),
    (
        "INSERT INTO cohorts_cohortmember VALUES (987654, 1, gen_random_uuid())",
        "people_of_gone_projects",
        "project 987654",
    ),
    (
        (
            "UPDATE annotations_annotation SET organization_id = '{globex}',"
            " dashboard_id = NULL, dashboard_item_id = NULL WHERE id = {annotation}"
        ),
        "annotation_organizations",
        "annotation {annotation}",
    ),
    ("UPDATE analytics_dashboard SET project_id = {globex_web}", "annotation_targets", "annotation {annotation}"),
    ("UPDATE analytics_insight SET project_id = {globex_web}", "annotation_targets", "annotation {annotation}"),
    (
        (
            "UPDATE roles_rolemembership SET organization_member_id ="
            " (SELECT id FROM accounts_membership WHERE user_id = {dave})"
        ),
        "role_members",
        "role {role}",
    ),
    (
        "UPDATE accounts_organization SET default_role_id = '{role}' WHERE id = '{globex}'",
        "default_roles",
        "organization {globex}",
    ),
    ("UPDATE accounts_membership SET level = 8 WHERE user_id = {alice}", "owners", "organization {acme}"),
    (f"{_DOING};{_LATER}", "jobs_abandoned", ": a"),
    (f"{_DOING};{_WORKER.format(41)};{_ITS_JOB}", "jobs_abandoned", ": a"),
    (f"{_DOING};DELETE FROM procrastinate_events", "jobs_abandoned", ": a"),
    (
        "INSERT INTO revisions_revision (organization_id, number) SELECT '{acme}', i FROM generate_series(1, 1001) i",
        "revisions",
        "organization {acme}",
    ),
    ("UPDATE idempotency_answer SET created_at = now() - interval '26 hours'", "answers", "answer "),
]
#: What looks like a broken rule, but is right.
SOUND = [
    "UPDATE projects_project SET secret_api_token = '{secret}', secret_api_token_backup = '{other_secret}'",
    "UPDATE projects_project SET secret_api_token_backup = NULL",
    "UPDATE cohorts_cohort SET version = NULL, errors_calculating = 1, pending_version = 2 WHERE id = {dynamic}",
    "UPDATE cohorts_cohort SET deleted = true",
    f"{_CALCULATING.format('{dynamic}')};{job('x', lock='cohort:{dynamic}')}",
    f"{_CALCULATING.format('{dynamic}')};{job('x', lock='cohort:{dynamic}', status='doing')}",
    # A cohort that depends on another waits for it.
    f"UPDATE cohorts_cohort SET is_calculating = true WHERE NOT is_static;{job('x', lock='cohort:{dynamic}')}",
    f"{_UNFINISHED};{job('x', lock='cohort:{dynamic}', status='doing')}",
    f"{_GONE};{job('core6.tasks.delete_people', project_id=987654)}",
    f"{_GONE};{job('core6.tasks.delete_people', status='doing', project_id=987654)}",
    _DOING,
    f"{_DOING};{_LATER};{_WORKER.format(5)};{_ITS_JOB}",
    # The other worker takes it over at any moment.
    f"{_DOING};{_LATER};{_WORKER.format(30)};{_ITS_JOB}",
    f"{job('a', status='failed')};{_LATER}",
    "INSERT INTO revisions_revision (organization_id, number) SELECT '{acme}', i FROM generate_series(1, 500) i",
    "UPDATE idempotency_answer SET created_at = now() - interval '24 hours'",
    "DELETE FROM roles_rolemembership",
    "UPDATE annotations_annotation SET deleted = true",
]


def test_a_sound_world_passes(world: World):
    assert broken() == {}
    assert Calculation.objects.filter(error=None).count() == 2
    assert [Cohort.objects.get(pk=key).count for key in (world.dynamic, world.static)] == [1, 2]
    assert Answer.objects.exists()


def test_an_empty_database_passes(db: None):
    assert broken() == {}


@pytest.mark.parametrize(("statement", "name", "example"), BREAKS)
def test_a_broken_rule_is_reported(world: World, statement: str, name: str, example: str):
    world.execute(statement)
    found = broken()
    assert list(found) == [name]
    assert found[name].count >= 1
    assert any(world.filled(example) in each for each in found[name].examples)


@pytest.mark.parametrize("statement", SOUND)
def test_what_only_looks_like_it_is_not(world: World, statement: str):
    world.execute(statement)
    assert broken() == {}


def test_each_check_is_broken_by_a_test():
    assert {name for _, name, _ in BREAKS} | {"idle_transactions"} == set(NAMES)


def test_checks_have_names_of_their_own_and_sentences():
    assert len(set(NAMES)) == len(NAMES)
    for check in integrity.CHECKS:
        assert check.name.replace("_", "").islower()
        assert check.wrong[0].isupper()
        assert check.wrong.endswith(".")


def test_a_transaction_in_which_nothing_happens_is_reported(world: World, monkeypatch: pytest.MonkeyPatch):
    # Not the tests' own transaction, which is at work while it asks.
    other = connections.create_connection("default")
    try:
        with transaction.atomic(using="default"):
            with other.cursor() as cursor:
                cursor.execute("BEGIN")
                cursor.execute("SELECT pg_backend_pid()")
                process = cursor.fetchone()[0]
            assert broken() == {}
            # Of the time before the transaction began, as it sees it.
            monkeypatch.setattr("core6.diagnosis.checks.IDLE_SECONDS", -3600)
            assert f"process {process}" in broken()["idle_transactions"].examples
    finally:
        other.close()


def test_all_are_counted_and_five_are_named(world: World):
    world.execute(
        "INSERT INTO analytics_distinctid SELECT {web}, 'd' || i, gen_random_uuid() FROM generate_series(1, 9) i"
    )
    found = broken()["distinct_ids"]
    assert found.count == 9
    assert found.examples == [f"distinct id d{i} of project {world.cast.web.pk}" for i in range(1, 6)]


def test_verify_names_five_of_what_python_finds(world: World):
    Cohort.objects.bulk_create(Cohort(project=world.cast.web, is_calculating=True, is_static=True) for _ in range(7))
    found = broken()["cohorts_calculating"]
    assert (found.count, len(found.examples)) == (7, 5)


def test_each_check_is_one_statement_that_reads(world: World):
    for check in integrity.CHECKS:
        with CaptureQueriesContext(connection) as queries:
            check.run()
        assert all(each["sql"].startswith("SELECT") for each in queries), check.name
        if isinstance(check.offenders, str):
            assert len(queries) == 1


def test_no_secret_is_shown(world: World):
    Project.objects.filter(pk=world.cast.web.pk).update(api_token="no token but secret")
    world.execute("UPDATE projects_project SET secret_api_token = 'stored text' WHERE id = {web}")
    shown = json.dumps([asdict(each) for each in integrity.findings()])
    assert "no token but secret" not in shown
    assert "stored text" not in shown


@pytest.fixture
def committed(committed_cast: Cast) -> World:
    return make_world(committed_cast, committed_cast.caller(committed_cast.alice))


def run(*arguments: str) -> Any:
    command = verify.Command()
    return command.run(vars(command.create_parser("manage.py", "verify").parse_args(arguments)))


def tables() -> dict[str, Any]:
    """Return a digest of every row of every table."""
    found = {}
    with connection.cursor() as cursor:
        for name in sorted(connection.introspection.table_names(cursor)):
            cursor.execute(f"SELECT count(*), md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM {name} t")
            found[name] = cursor.fetchone()
    return found


def test_verify_changes_nothing(committed: World, capsys: pytest.CaptureFixture[str]):
    committed.execute("UPDATE cohorts_cohort SET count = 77, is_calculating = true")
    before = tables()
    with pytest.raises(CommandError, match=rf"^2 of {len(NAMES)} rules are broken$"):
        run()
    assert tables() == before


def test_its_transaction_can_only_read_and_sees_one_moment(committed: World, monkeypatch: pytest.MonkeyPatch):
    states: list[Any] = []

    def look() -> Iterator[str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')")
            states.append(cursor.fetchone())
        yield from ()

    monkeypatch.setattr(integrity, "CHECKS", (Check("look", "Never.", look),))
    run()
    assert states == [("repeatable read", "on")]


def test_the_text_names_what_is_wrong(committed: World, capsys: pytest.CaptureFixture[str]):
    run()
    assert capsys.readouterr().out == f"All {len(NAMES)} checks hold.\n"
    committed.execute("UPDATE cohorts_cohort SET count = 77 WHERE id = {static}")
    with pytest.raises(CommandError, match="1 of"):
        run()
    shown = capsys.readouterr().out
    assert "cohort_counts" in shown
    assert f"cohort {committed.static}" in shown
    assert "A cohort's count is not the number of its members." in " ".join(shown.replace("│", " ").split())
    assert "api_tokens" not in shown


def test_a_warning_is_shown_and_no_error(committed: World, capsys: pytest.CaptureFixture[str]):
    committed.execute("UPDATE accounts_membership SET level = 8")
    run()
    assert "owners (warning)" in capsys.readouterr().out


def test_programs_get_every_check(committed: World, capsys: pytest.CaptureFixture[str]):
    run("--json")
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == NAMES
    assert {row["count"] for row in rows} == {0}
    committed.execute("DELETE FROM cohorts_cohortmember WHERE cohort_id = {static}")
    with pytest.raises(CommandError):
        run("--json")
    (row,) = [row for row in json.loads(capsys.readouterr().out) if row["count"]]
    assert row == {
        "name": "cohort_counts",
        "wrong": "A cohort's count is not the number of its members.",
        "is_warning": False,
        "count": 1,
        "examples": [f"cohort {committed.static}"],
    }


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """The demo world, as the first start leaves it."""
    with started_place() as made:
        with serving(made, *LIGHT) as server:
            server.note("something")
            assert server.stop() == 0
        yield made


def test_the_demo_world_is_sound(directory: Path):
    done = manage(directory, "verify")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"All {len(NAMES)} checks hold.\n", "")


@pytest.mark.whole
def test_beside_a_running_server(directory: Path):
    with serving(directory, *LIGHT) as server:
        assert manage(directory, "verify", "--json").returncode == 0
        with connect(directory) as connected:
            connected.execute("UPDATE accounts_membership SET level = 1")
            connected.execute("UPDATE projects_project SET secret_api_token = 'x'")
        done = manage(directory, "verify", "--json")
        assert done.returncode == 1
        assert done.stderr == f"CommandError: 1 of {len(NAMES)} rules are broken\n"
        assert {row["name"] for row in json.loads(done.stdout) if row["count"]} == {"owners", "secrets"}
        with connect(directory) as connected:
            connected.execute("UPDATE projects_project SET secret_api_token = NULL")
        assert server.is_answering()


@pytest.mark.whole
def test_a_database_of_another_release_is_left_alone(directory: Path):
    with serving(directory, *LIGHT):
        with connect(directory) as connected:
            row = connected.execute(
                "DELETE FROM django_migrations WHERE app = 'idempotency' RETURNING app, name, applied"
            ).fetchone()
        assert "not of this release" in refusal(directory, "verify")
        assert ask(directory, "SELECT count(*) FROM django_migrations WHERE app = 'idempotency'") == (0,)
        with connect(directory) as connected:
            connected.execute("INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, %s)", row)


def test_where_there_is_nothing_nothing_is_made():
    with place() as parent:
        assert "there is no database in" in refusal(parent / "data", "verify")
        assert not (parent / "data").exists()


def test_a_key_that_is_lacking_is_reported(committed: World, settings: Any, capsys: pytest.CaptureFixture[str]):
    settings.SECRET_KEY = "another key than what the tokens were written with"
    with pytest.raises(CommandError, match="1 of"):
        run()
    assert "ENCRYPTION_KEYS" in capsys.readouterr().out


def test_verify_is_a_command(committed: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    # The tests' own database, as DATABASE_URL would name it.
    monkeypatch.setattr("django.conf.settings.IS_EMBEDDED", False)
    monkeypatch.setattr("django.conf.settings.IS_SECRET_KEY_GENERATED", False)
    call_command("verify", "--json")
    assert len(json.loads(capsys.readouterr().out)) == len(NAMES)
