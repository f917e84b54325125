"""Which reads a replica answers, and when.

Here it is a second connection to the same server: one that is up to date, or one whose transaction sees what was there
when it began, as a replica does whose replay is paused.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from django.db import DataError, OperationalError, connection, connections, router, transaction
from django.db.backends.postgresql.psycopg_any import IsolationLevel
from django.test.utils import CaptureQueriesContext

from annotations.models import Annotation
from cohorts.models import Calculation, Cohort
from core6.analytics.models import Person
from core6.database import locks, replica
from core6.diagnosis import doctor
from core6.diagnosis.findings import Finding
from core6.management.database_command import migrating_alone, unlimited
from core6.terminal.progress import Work
from roles.models import Role
from tests.conftest import Caller, Cast


@pytest.fixture
def second(committed_cast: Cast, settings: Any) -> Iterator[dict[str, Any]]:
    """Return the settings of a second connection, which a test may change before it is used."""
    given = deepcopy(connection.settings_dict)
    connections.settings[replica.ALIAS] = given
    made = connections[replica.ALIAS]

    def ensure_connection() -> None:  # as Django's own, which in tests refuses a database that is not listed
        if made.connection is None:
            with made.wrap_database_errors:
                made.connect()

    made.ensure_connection = ensure_connection  # type: ignore[method-assign]  # of this one alone
    settings.REPLICA_URL = "postgres://replica"
    settings.DATABASE_ROUTERS = ["core6.database.replica.Router"]
    replica.breaker.close()
    yield given
    connections[replica.ALIAS].close()
    del connections[replica.ALIAS]
    del connections.settings[replica.ALIAS]
    replica.breaker.close()


@pytest.fixture
def frozen(second: dict[str, Any]) -> Callable[[], None]:
    def freeze() -> None:
        second["AUTOCOMMIT"] = False
        second["OPTIONS"]["isolation_level"] = IsolationLevel.REPEATABLE_READ
        with connections[replica.ALIAS].cursor() as cursor:
            cursor.execute("SELECT count(*) FROM revisions_revision")

    return freeze


class Statements:
    """How many statements the two servers were sent inside the block."""

    def __enter__(self) -> "Statements":
        self._captured = [CaptureQueriesContext(each) for each in (connection, connections[replica.ALIAS])]
        for each in self._captured:
            each.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        for each in self._captured:
            each.__exit__(*error)

    @property
    def counts(self) -> tuple[int, int]:
        primary, other = (len(each) for each in self._captured)
        return primary, other


@pytest.fixture
def world(committed_cast: Cast) -> Cast:
    """Things to read, and a key that was used."""
    cast = committed_cast
    Annotation.objects.create(organization=cast.acme, project=cast.web, content="first", scope="project")
    cohort = Cohort.objects.create(project=cast.web, name="All", created_by=cast.alice)
    Calculation.objects.create(cohort=cohort)
    Role.objects.create(organization=cast.acme, name="Engineers")
    return cast


def caller(cast: Cast, **headers: str) -> Caller:
    made = Caller(cast.key(cast.alice), **headers)
    made.get("/api/users/@me/")  # notes the use of the key
    return made


def paths(cast: Cast) -> dict[str, str]:
    annotation, cohort, role = Annotation.objects.get(), Cohort.objects.get(), Role.objects.get()
    at = f"/api/projects/{cast.web.pk}"
    return {
        "annotations": f"{at}/annotations/",
        "annotation": f"{at}/annotations/{annotation.pk}/",
        "roles": f"/api/organizations/{cast.acme.pk}/roles/",
        "role": f"/api/organizations/{cast.acme.pk}/roles/{role.pk}/",
        "cohorts": f"{at}/cohorts/",
        "cohort": f"{at}/cohorts/{cohort.pk}/",
        "projects": f"/api/organizations/{cast.acme.pk}/projects/",
        "project": f"{at}/",
        "filtered": f"{at}/annotations/?search=first",
        "history": f"{at}/cohorts/{cohort.pk}/calculation_history/",
        "activity": f"{at}/annotations/activity/",
        "persons": f"{at}/cohorts/{cohort.pk}/persons/",
        "all projects": "/api/projects/",
        "demo": f"{at}/is_generating_demo_data/",
    }


#: By path: the statements on the primary and on the replica, and on the primary alone where there is no replica.
READS = {
    # who calls where; the replica's state; the page
    "annotations": ((1, 2), 2),
    "cohorts": ((1, 2), 2),
    "projects": ((1, 2), 2),
    # ... and the members of the roles
    "roles": ((1, 3), 3),
    # ... the row
    "annotation": ((1, 2), 2),
    "cohort": ((1, 2), 2),
    "role": ((1, 3), 3),
    # ... the limit of time, which is a transaction, how many there are, and the page
    "filtered": ((1, 6), 6),
}


@pytest.mark.parametrize("name", READS)
def test_a_replica_that_has_everything_is_read(world: Cast, second: Any, settings: Any, name: str):
    path, alice = paths(world)[name], caller(world)
    alice.get(path)  # prepared, connected
    Role.objects.create(organization=world.acme, name="another")  # what is kept is of another state now
    expected, alone = READS[name]
    with Statements() as statements:
        answer = alice.get(path)
    assert statements.counts == expected
    Role.objects.create(organization=world.acme, name="and another")
    settings.REPLICA_URL = ""
    with Statements() as statements:
        without = alice.get(path)
    assert statements.counts == (alone, 0)
    if name != "roles":
        assert answer.content == without.content


def test_a_kept_page_needs_no_query_of_its_own(world: Cast, second: Any):
    path, alice = paths(world)["annotations"], caller(world)
    first = alice.get(path)
    with Statements() as statements:
        again = alice.get(path)
    assert statements.counts == (1, 0)
    assert again.content == first.content


@pytest.mark.parametrize("name", ["persons", "all projects", "demo", "project", "history", "activity"])
def test_whatever_is_no_list_or_object_of_one_state_is_read_on_the_primary(world: Cast, second: Any, name: str):
    with Statements() as statements:
        assert caller(world).get(paths(world)[name]).status_code == 200
    assert statements.counts[1] == 0


def test_a_caller_who_has_written_sees_it_while_the_replica_is_behind(world: Cast, frozen: Callable[[], None]):
    there, alice = paths(world), caller(world)
    frozen()
    assert alice.get(there["annotations"]).json()["results"][0]["content"] == "first"
    assert alice.patch(there["annotation"], {"content": "second"}).status_code == 200
    for _ in range(2):
        assert alice.get(there["annotation"]).json()["content"] == "second"
        assert [row["content"] for row in alice.get(there["annotations"]).json()["results"]] == ["second"]
    made = alice.post(there["annotations"], {"content": "third", "scope": "project"}).json()["id"]
    assert alice.get(f"{there['annotations']}{made}/").json()["content"] == "third"
    # What is of another organization is there as it was.
    with Statements() as statements:
        dave = Caller(world.key(world.dave))
        assert dave.get(f"/api/organizations/{world.globex.pk}/roles/").json()["results"] == []
    assert statements.counts[1] > 0
    assert not replica.breaker.is_open


def test_a_user_who_changes_counts_in_every_organization(world: Cast, frozen: Callable[[], None]):
    there, alice = paths(world), caller(world)
    Annotation.objects.update(created_by=world.bob)
    frozen()
    world.bob.first_name = "Robert"
    world.bob.save()
    assert alice.get(there["annotation"]).json()["created_by"]["first_name"] == "Robert"


def test_a_key_that_is_revoked_is_refused_at_once(world: Cast, frozen: Callable[[], None]):
    there, alice = paths(world), caller(world)
    frozen()
    assert alice.get(there["annotations"]).status_code == 200
    world.alice.personal_api_keys.all().delete()
    for path in (there["annotations"], there["annotation"], there["history"]):
        assert alice.get(path).status_code == 401


def test_a_replica_that_is_away_is_left_alone_for_a_while(world: Cast, second: Any, monkeypatch: pytest.MonkeyPatch):
    second["HOST"] = "/nowhere"
    there, alice = paths(world), caller(world)
    clock = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: clock)
    tries: list[float] = []
    ensure = connections[replica.ALIAS].connect

    def connect() -> None:
        tries.append(clock)
        ensure()

    monkeypatch.setattr(connections[replica.ALIAS], "connect", connect)
    for turn in range(30):
        Role.objects.create(organization=world.acme, name=f"{turn}")  # what is kept is of another state now
        assert alice.get(there["annotation"]).json()["content"] == "first"
        assert alice.get(there["filtered"]).json()["count"] == 1
        clock += 1
    # After 5 s, and then after 10.
    assert tries == [1000, 1005, 1015]


@pytest.mark.parametrize("name", ["annotation", "annotations", "roles", "filtered"])
def test_a_read_that_breaks_off_there_is_answered_by_the_primary(world: Cast, second: Any, name: str):
    path, alice = paths(world)[name], caller(world)
    expected = alice.get(path)
    Role.objects.all().update(name="Engineers")
    left = 1  # the state of the replica

    def cancel(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise OperationalError("canceling statement due to conflict with recovery")
        return execute(sql, params, many, context)

    with connections[replica.ALIAS].execute_wrapper(cancel):
        answer = alice.get(path)
    assert left == -1
    assert (answer.status_code, answer.content) == (200, expected.content)
    assert replica.breaker.is_open


def test_a_value_that_is_refused_there_is_no_fault_of_the_replica(second: Any):
    def read() -> None:
        raise DataError

    assert replica.attempt(read) is None
    assert not replica.breaker.is_open


def test_writes_read_on_the_primary(world: Cast, second: Any):
    there, alice = paths(world), caller(world)
    tag = alice.get(there["annotation"])["ETag"]
    with Statements() as statements:
        patched = alice.patch(there["annotation"], {"content": "second"}, headers={"If-Match": tag})
        assert patched.status_code == 200
        posted = {"content": "third", "scope": "project"}
        assert alice.post(there["annotations"], posted, headers={"Idempotency-Key": "one"}).status_code == 201
        assert alice.patch(there["cohort"], {"name": "Some"}).status_code == 200
        assert alice.request("OPTIONS", there["annotations"]).status_code == 200
    assert statements.counts[1] == 0


def test_the_router_sends_reads_where_the_request_reads(second: Any):
    assert router.db_for_read(Annotation) == router.db_for_write(Annotation) == "default"
    assert replica.attempt(lambda: (router.db_for_read(Annotation), router.db_for_write(Annotation))) == (
        "replica",
        "default",
    )
    assert router.db_for_read(Annotation) == "default"
    assert router.allow_relation(Annotation(), Role())
    assert router.allow_migrate("default", "roles")
    assert not router.allow_migrate("replica", "roles")


def change_members(alice: Caller, at: str) -> Any:
    person = Person.objects.get()
    cohort = Cohort.objects.get(is_static=True)
    body = {"person_ids": [str(person.uuid)]}
    return alice.patch(f"{at}/cohorts/{cohort.pk}/add_persons_to_static_cohort/", body)


ACTIVE: dict[str, Callable[[Caller, str], Any]] = {
    "annotation": lambda alice, at: alice.post(f"{at}/annotations/", {"content": "x", "scope": "project"}),
    "cohort": lambda alice, at: alice.post(f"{at}/cohorts/", {"name": "x", "is_static": True}),
    "members": change_members,
    "project": lambda alice, at: alice.patch(f"{at}/", {"name": "x"}),
    "token": lambda alice, at: alice.patch(f"{at}/reset_token/", {}),
    "onboarding": lambda alice, at: alice.patch(f"{at}/complete_product_onboarding/", {"product_type": "surveys"}),
}


@pytest.mark.parametrize("name", ACTIVE)
def test_whatever_shows_in_the_activity_changes_the_revision(cast: Cast, alice: Caller, name: str):
    Person.objects.create(project_id=cast.web.pk)
    Cohort.objects.create(project=cast.web, is_static=True)
    before = replica.state(cast.acme.pk)
    answer = ACTIVE[name](alice, f"/api/projects/{cast.web.pk}")
    assert answer.status_code < 300, answer.content
    assert replica.state(cast.acme.pk) != before


def ask(name: str) -> list[Finding]:
    (question,) = [each for each in doctor.QUESTIONS if each.name == name]
    return doctor.answer(question)


def test_the_doctor_sees_that_a_replica_was_promoted_or_is_away(second: Any):
    (found,) = ask("replica")
    assert found.state == "bad"
    assert "takes writes of its own" in found.message
    second["HOST"] = "/nowhere"
    (found,) = ask("replica")
    assert found.state == "warning"
    assert "cannot be reached" in found.message


def test_the_doctor_names_what_the_role_lacks_behind_a_pooler(db: None, settings: Any):
    assert ask("pooler") == []
    settings.IS_BEHIND_POOLER = True
    assert [each.state for each in ask("pooler")] == ["ok"]
    settings.SESSION_LIMITS = {"idle_session_timeout": "9s"}
    (found,) = ask("pooler")
    assert found.state == "warning"
    role = connection.settings_dict["USER"]
    assert f"ALTER ROLE {role} SET idle_session_timeout = '9s';" in found.advice


def test_one_migrates_at_a_time_and_holds_up_no_index_that_is_built_beside_its_use(committed_cast: Cast):
    with migrating_alone(Work("Bringing it up to date")), connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_try_advisory_xact_lock({locks.MIGRATION.key})")
        assert cursor.fetchone() == (False,)
        cursor.execute("SET statement_timeout = '5s'")
        cursor.execute("CREATE INDEX CONCURRENTLY beside ON annotations_annotation (content)")
        cursor.execute("DROP INDEX CONCURRENTLY beside")
        cursor.execute("RESET statement_timeout")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_try_advisory_xact_lock({locks.MIGRATION.key})")
        assert cursor.fetchone() == (True,)


def test_behind_a_pooler_commands_are_without_the_limits_of_the_role(committed_cast: Cast, settings: Any):
    settings.IS_BEHIND_POOLER = True

    def limits() -> list[str]:
        with connection.cursor() as cursor:
            return [cursor.execute(f"SHOW {name}") and cursor.fetchone()[0] for name in settings.SESSION_LIMITS]

    given = list(settings.SESSION_LIMITS.values())
    with unlimited():
        with transaction.atomic():
            with pytest.raises(DataError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")
            assert limits() == ["0", "0", "0"]
        assert limits() == given
        assert {each.state for each in doctor.findings() if each.name == "database"} == {"ok"}
    with transaction.atomic():
        assert limits() == given
