from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core6.accounts import keys
from core6.accounts.models import Level, Membership, Organization, PersonalAPIKey, User
from core6.analytics.models import Dashboard, Insight
from core6.provisioning import provision as provisioning
from core6.provisioning import world
from projects.models import Project
from tests.conftest import Caller

pytestmark = pytest.mark.django_db

MODELS: tuple[Any, ...] = (Organization, User, Membership, PersonalAPIKey, Project, Dashboard, Insight)
FIXED_KEY = "phx_fixed_for_the_tests_of_ci"
WORLD = f"""
users:
  - email: alice@example.com
    first_name: Alice
    last_name: Archer
    is_email_verified: true
    role_at_organization: founder
    hedgehog_config: {{color: green}}
    is_staff: true
    password: correct horse
  - {{email: bob@example.com, is_active: false}}
  - {{email: carol@example.com, password: null}}
organizations:
  - name: Acme
    members: {{alice@example.com: owner, bob@example.com: admin, carol@example.com: member}}
    projects:
      - name: Web
        timezone: Europe/Berlin
        api_token: phc_fixed
        dashboards: [{{name: Launch}}, {{name: Sales}}]
        insights: [{{name: Signups, derived_name: Signup count}}, {{name: Visits}}]
      - name: App
  - name: Globex
api_keys:
  - {{label: made, user: alice@example.com, scopes: ["*"]}}
  - label: fixed
    user: carol@example.com
    scopes: ["annotation:read", "cohort:write"]
    scoped_organizations: [Acme]
    scoped_projects: [Acme/App]
    value: {FIXED_KEY}
"""


@pytest.fixture(autouse=True)
def fast_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def provision(text: str) -> dict[str, Any]:
    return provisioning.provision(world.read(text))


def rows() -> dict[str, list[dict[str, Any]]]:
    return {model.__name__: list(model._default_manager.order_by("pk").values()) for model in MODELS}


def test_the_output_has_the_documented_shape():
    made = provision(WORLD)
    acme, globex = Organization.objects.order_by("name")
    web, app = Project.objects.get(name="Web"), Project.objects.get(name="App")
    value = made["api_keys"]["made"]["value"]
    nobody = {"persons": {}, "person_count": 0, "event_count": 0}
    assert made == {
        "users": {
            user.email: {"id": user.pk, "uuid": str(user.uuid), "distinct_id": user.distinct_id}
            for user in User.objects.all()
        },
        "organizations": {
            "Acme": {
                "id": str(acme.pk),
                "roles": {},
                "projects": {
                    "Web": {
                        "id": web.pk,
                        "uuid": str(web.uuid),
                        "api_token": "phc_fixed",
                        "dashboards": {
                            board.name: {"id": board.pk}
                            for board in Dashboard.objects.filter(name__in=("Launch", "Sales"))
                        },
                        "insights": {
                            chart.name: {"id": chart.pk, "short_id": chart.short_id} for chart in Insight.objects.all()
                        },
                        **nobody,
                    },
                    "App": {
                        "id": app.pk,
                        "uuid": str(app.uuid),
                        "api_token": app.api_token,
                        "dashboards": {},
                        "insights": {},
                        **nobody,
                    },
                },
            },
            "Globex": {"id": str(globex.pk), "roles": {}, "projects": {}},
        },
        "api_keys": {
            "made": {"value": value, "mask": f"phx_...{value[-4:]}"},
            "fixed": {"value": FIXED_KEY, "mask": "phx_...f_ci"},
        },
    }
    assert len(made["users"]) == 3
    assert value.startswith("phx_")


def test_users_get_every_given_property():
    provision(WORLD)
    alice = User.objects.get(email="alice@example.com")
    given = (alice.first_name, alice.last_name, alice.role_at_organization, alice.hedgehog_config)
    assert given == ("Alice", "Archer", "founder", {"color": "green"})
    assert (alice.is_email_verified, alice.is_staff, alice.is_active) == (True, True, True)
    assert alice.check_password("correct horse")


def test_a_user_without_properties_is_an_ordinary_one():
    provision("users: [{email: dave@example.com}]")
    dave = User.objects.get()
    assert (dave.first_name, dave.is_active, dave.is_staff, dave.is_email_verified) == ("", True, False, None)
    assert not dave.has_usable_password()


def test_members_get_their_levels():
    provision(WORLD)
    levels = {row.user.email: row.level for row in Membership.objects.filter(organization__name="Acme")}
    assert levels == {
        "alice@example.com": Level.OWNER,
        "bob@example.com": Level.ADMIN,
        "carol@example.com": Level.MEMBER,
    }


def test_projects_and_what_they_hold_are_made():
    provision(WORLD)
    assert list(Project.objects.order_by("pk").values_list("name", "timezone")) == [
        ("Web", "Europe/Berlin"),
        ("App", "UTC"),
    ]
    assert {board.name for board in Dashboard.objects.filter(project__name="Web")} > {"Launch", "Sales"}
    charts = Insight.objects.filter(project__name="Web").values_list("name", "derived_name")
    assert set(charts) == {("Signups", "Signup count"), ("Visits", None)}


def test_keys_get_scopes_and_restrictions():
    made = provision(WORLD)
    key = PersonalAPIKey.objects.get(label="fixed")
    assert key.secure_value == keys.digest(FIXED_KEY)
    assert key.scopes == ["annotation:read", "cohort:write"]
    assert [str(pk) for pk in key.scoped_organizations or []] == [made["organizations"]["Acme"]["id"]]
    assert key.scoped_teams == [made["organizations"]["Acme"]["projects"]["App"]["id"]]


def test_a_provisioned_key_works_over_http():
    projects = provision(WORLD)["organizations"]["Acme"]["projects"]
    caller = Caller(FIXED_KEY)
    app, web = (f"/api/projects/{projects[name]['id']}/annotations/" for name in ("App", "Web"))
    assert caller.get(app).status_code == 200
    assert caller.post(app, {"scope": "project"}).status_code == 403
    assert caller.get(web).status_code == 403


def test_a_made_key_works_over_http():
    made = provision(WORLD)
    web = made["organizations"]["Acme"]["projects"]["Web"]["id"]
    caller = Caller(made["api_keys"]["made"]["value"])
    assert caller.post(f"/api/projects/{web}/annotations/", {"scope": "project"}).status_code == 201


def test_a_second_run_prints_the_same_ids():
    first, second = provision(WORLD), provision(WORLD)
    assert second["users"] == first["users"]
    assert second["organizations"] == first["organizations"]


def test_a_second_run_writes_nothing():
    provision(WORLD)
    before = rows()
    with CaptureQueriesContext(connection) as queries:
        provision(WORLD)
    assert [query["sql"] for query in queries if query["sql"].startswith(("INSERT", "UPDATE", "DELETE"))] == []
    assert rows() == before


def test_a_key_that_existed_is_not_shown_again_unless_the_file_gives_it():
    first, second = provision(WORLD)["api_keys"], provision(WORLD)["api_keys"]
    assert second["made"] == {"value": None, "mask": first["made"]["mask"]}
    assert second["fixed"] == first["fixed"]
