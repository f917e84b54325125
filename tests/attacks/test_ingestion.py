"""The token of a project writes events of that project and reads nothing: neither of it, nor of another one."""

from collections.abc import Iterator
from itertools import product
from typing import Any, Final

import pytest
from django.db import connection

from core6.analytics.models import DistinctId, Event, Person
from tests.attacks.marked_world import MARK, World, taken_back
from tests.attacks.test_injection import TEXTS
from tests.conftest import Caller
from tests.support.capture.sending import batch, event, merging, owners, person_of, sent
from tests.support.database_state import state
from tests.support.routes import METHODS, ingestion_routes
from tests.support.sampling import sampled

pytestmark = pytest.mark.django_db
PEOPLE: Final = ("analytics_person", "analytics_distinctid", "analytics_event", "analytics_personoverride")
#: Ids of Acme's people, and of nobody.
VISIT: Final = event("visit", "anna", {"$set": {"a": 1}})


def of_acme(world: World) -> list[Any]:
    """Return the people of Acme."""
    ids = [world.cast.web.pk, world.cast.app.pk]
    with connection.cursor() as cursor:
        found = []
        for table in (*PEOPLE, "cohorts_cohortmember"):
            cursor.execute(f"SELECT to_jsonb(t)::text FROM {table} t WHERE project_id = ANY(%s) ORDER BY 1", [ids])
            found += cursor.fetchall()
        return found


def bodies(world: World) -> Iterator[Any]:
    """Yield what could make an answer talk: nothing, a token of Globex, and secrets of Acme in place of a token."""
    yield None
    yield batch(world.cast.globex_web, VISIT)
    for secret in (*world.secrets, world.cast.web.name, str(world.cast.web.pk), f"phc_{MARK}"):
        yield {"api_key": secret, "token": secret, "batch": [VISIT]}


def leaks(response: Any, sent: str) -> Iterator[str]:
    """Yield the lines of an answer that show something of Acme which was not sent."""
    head = "".join(f"\n{name}: {value}" for name, value in response.items())
    text = response.content.decode() + head
    yield from (line for line in text.splitlines() if MARK in line.replace(sent, ""))


@pytest.mark.parametrize("template", ingestion_routes())
def test_no_answer_shows_anything_of_acme(world: World, template: str):
    found = []
    callers = [Caller(None), Caller(world.cast.key(world.cast.alice))]
    tokens = ["phc_unknown", f"phc_{MARK}"]
    for caller, method, body, token in sampled(product(callers, METHODS, bodies(world), tokens), 20):
        caller.client.raise_request_exception = False
        with taken_back():
            response = caller.request(method, template.format(token=token), body)
        assert response.status_code < 500
        found += [f"{method} {template}: {each}" for each in leaks(response, str(body["api_key"]) if body else "")]
    assert found == []


def test_events_of_globex_change_no_person_of_acme(world: World):
    uuid = str(world.person.uuid)
    before = of_acme(world)
    ids = [*DistinctId.objects.filter(project_id=world.cast.web.pk).values_list("distinct_id", flat=True), uuid, "x"]
    for project_id in (world.cast.web.pk, str(world.cast.web.pk)):
        extra = {"project_id": project_id, "team_id": project_id, "person_id": uuid, "uuid": uuid}
        for distinct_id in ids:
            properties = {"$set": {"a": 1}, "$unset": ["name", "email"], **extra, "$person_id": uuid}
            sent(world.cast.globex_web, event("visit", distinct_id, properties, **{**extra, "uuid": None}))
            sent(world.cast.globex_web, merging("$merge_dangerously", "theirs", distinct_id))
    sent(world.cast.globex_web, event("visit", "theirs", uuid=uuid))
    assert of_acme(world) == before
    assert set(Person.objects.exclude(project_id__in=world.cast.acme.projects.all()).values_list("project_id")) >= {
        (world.cast.globex_web.pk,)
    }


def test_the_token_of_a_project_is_no_key_of_the_api(world: World):
    project = world.cast.web
    before = state()
    for headers in ({"Authorization": f"Bearer {project.api_token}"}, {}):
        caller = Caller(None, **headers)
        for path in ("/api/users/@me/", f"/api/projects/{project.pk}/", f"/api/projects/{project.pk}/cohorts/"):
            assert caller.get(path, personal_api_key=project.api_token).status_code == 401
            assert caller.post(path, {"personal_api_key": project.api_token}).status_code == 401
    assert state() == before


def test_texts_that_mean_something_to_sql_are_ids_and_names_and_values(world: World):
    project = world.cast.globex_app
    tables = set(connection.introspection.table_names())
    for text in TEXTS:
        sent(project, event(text, text, {text: text, "$set": {text: text}, "$set_once": {f"{text}?": text}}))
    found = Event.objects.filter(project_id=project.pk)
    assert {(each.event, each.distinct_id) for each in found} == {(text[:200], text[:200]) for text in TEXTS}
    assert set(owners(project)) == {text[:200] for text in TEXTS}
    for text in TEXTS:
        assert person_of(project, text[:200]).properties[text] == text
        assert next(each for each in found if each.event == text[:200]).properties[text] == text
    sent(project, *(merging("$merge_dangerously", "one", text) for text in TEXTS))
    sent(project, event("$set", "one", {"$unset": list(TEXTS)}))
    assert not set(TEXTS) & person_of(project, "one").properties.keys()
    assert set(connection.introspection.table_names()) == tables
