import pytest

from core6.accounts.models import Level, Membership, Organization, PersonalAPIKey, User
from core6.analytics.models import Insight
from core6.provisioning.world import WorldError
from projects.models import Project
from tests.conftest import Caller
from tests.provisioning.test_provision import FIXED_KEY, WORLD, provision, rows

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def first_run(db: None, settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    provision(WORLD)


def refusal(text: str) -> str:
    """Return why `text` is refused; nothing may have been written."""
    before = rows()
    with pytest.raises(WorldError) as caught:
        provision(text)
    assert rows() == before
    message = str(caught.value)
    assert len(message.splitlines()) == 1, message
    return message


def test_only_the_given_properties_of_a_user_change():
    provision("users: [{email: alice@example.com, last_name: Ames}]")
    alice = User.objects.get(email="alice@example.com")
    assert (alice.first_name, alice.last_name, alice.is_staff) == ("Alice", "Ames", True)
    assert alice.hedgehog_config == {"color": "green"}
    assert alice.check_password("correct horse")


def test_a_given_null_takes_a_value_away():
    provision("users: [{email: alice@example.com, hedgehog_config: null, is_email_verified: null}]")
    alice = User.objects.get(email="alice@example.com")
    assert (alice.hedgehog_config, alice.is_email_verified) == (None, None)


def test_a_given_password_replaces_the_old_one():
    provision("users: [{email: alice@example.com, password: battery staple}]")
    assert User.objects.get(email="alice@example.com").check_password("battery staple")


def test_a_user_is_found_by_email_whatever_its_case():
    before = User.objects.get(email="alice@example.com").pk
    made = provision("users: [{email: Alice@Example.com, first_name: Al}]")
    assert made["users"]["Alice@Example.com"]["id"] == before
    assert User.objects.get(pk=before).first_name == "Al"


def test_only_the_given_levels_change():
    provision("organizations: [{name: Acme, members: {bob@example.com: member}}]")
    levels = dict(Membership.objects.values_list("user__first_name", "level").filter(user__first_name="Alice"))
    assert levels == {"Alice": Level.OWNER}
    assert Membership.objects.get(user__email="bob@example.com").level == Level.MEMBER


def test_only_the_given_properties_of_a_project_change():
    provision("organizations: [{name: Acme, projects: [{name: Web, timezone: Asia/Tokyo}]}]")
    web = Project.objects.get(name="Web")
    assert (web.timezone, web.api_token) == ("Asia/Tokyo", "phc_fixed")


def test_a_project_without_properties_keeps_what_it_has():
    before = rows()
    provision("organizations: [{name: Acme, projects: [{name: Web, insights: [{name: Signups}]}]}]")
    assert rows() == before


def test_a_changed_project_notes_when():
    before = Project.objects.get(name="Web").updated_at
    provision("organizations: [{name: Acme, projects: [{name: Web, timezone: Asia/Tokyo}]}]")
    assert Project.objects.get(name="Web").updated_at > before


def test_an_insight_gets_another_derived_name():
    text = "organizations: [{name: Acme, projects: [{name: Web, insights: [{name: Signups, derived_name: New}]}]}]"
    provision(text)
    assert Insight.objects.get(name="Signups").derived_name == "New"


def test_a_deleted_insight_is_made_anew():
    Insight.objects.filter(name="Signups").update(deleted=True)
    made = provision("organizations: [{name: Acme, projects: [{name: Web, insights: [{name: Signups}]}]}]")
    new = made["organizations"]["Acme"]["projects"]["Web"]["insights"]["Signups"]["id"]
    assert set(Insight.objects.filter(name="Signups").values_list("pk", "deleted")) > {(new, False)}


def test_a_key_gets_other_scopes_and_keeps_its_restrictions():
    provision('api_keys: [{label: fixed, user: carol@example.com, scopes: ["annotation:write"]}]')
    key = PersonalAPIKey.objects.get(label="fixed")
    assert key.scopes == ["annotation:write"]
    assert (len(key.scoped_organizations or []), len(key.scoped_teams or [])) == (1, 1)


@pytest.mark.parametrize("label", ["fixed", "new"])
def test_a_key_of_no_scope_may_do_nothing(label: str):
    made = provision(f"api_keys: [{{label: {label}, user: carol@example.com, scopes: []}}]")
    caller = Caller(made["api_keys"][label]["value"] or FIXED_KEY)
    assert caller.get("/api/personal_api_keys/@current/").json()["scopes"] == []
    assert caller.get("/api/users/@me/").status_code == 403


def test_a_given_empty_restriction_opens_the_key():
    provision('api_keys: [{label: fixed, user: carol@example.com, scopes: ["*"], scoped_projects: []}]')
    key = PersonalAPIKey.objects.get(label="fixed")
    assert (key.scoped_teams, len(key.scoped_organizations or [])) == ([], 1)


def test_two_users_may_have_keys_of_one_label():
    made = provision('api_keys: [{label: fixed, user: alice@example.com, scopes: ["*"]}]')
    assert made["api_keys"]["fixed"]["value"].startswith("phx_")
    assert PersonalAPIKey.objects.filter(label="fixed").count() == 2


def test_nothing_is_ever_deleted():
    before = rows()
    provision("{users: [], organizations: [{name: Acme, members: {}, projects: []}], api_keys: []}")
    assert rows() == before


def test_projects_of_one_name_in_two_organizations_are_two():
    provision("organizations: [{name: Globex, projects: [{name: Web}]}]")
    assert Project.objects.filter(name="Web").count() == 2


def test_another_value_of_a_key_is_refused():
    message = refusal('api_keys: [{label: made, user: alice@example.com, scopes: ["*"], value: phx_of_somebody_else}]')
    assert message.startswith("api_keys[0].value: ")
    assert "phx_of_somebody_else" not in message


def test_the_value_of_another_key_is_refused():
    message = refusal(f'api_keys: [{{label: two, user: bob@example.com, scopes: ["*"], value: {FIXED_KEY}}}]')
    assert message.startswith("api_keys[0].value: ")


def test_the_token_of_another_project_is_refused():
    message = refusal("organizations: [{name: Globex, projects: [{name: Shop, api_token: phc_fixed}]}]")
    assert message.startswith("organizations[0].projects[0]")
    assert "api_token" in message


def test_a_name_of_two_organizations_is_refused():
    Organization.objects.create(name="Acme")
    message = "two organizations have this name: rename one of them"
    assert refusal("organizations: [{name: Globex}, {name: Acme}]") == f"organizations[1]: {message}"
    text = 'api_keys: [{label: x, user: bob@example.com, scopes: ["*"], scoped_organizations: [Globex, Acme]}]'
    assert refusal(text) == f"api_keys[0].scoped_organizations[1]: {message}"


def test_a_name_of_two_projects_is_refused():
    Project.objects.create(organization=Organization.objects.get(name="Acme"), name="Web")
    message = "two projects have this name: rename one of them"
    text = "organizations: [{name: Acme, projects: [{name: App}, {name: Web}]}]"
    assert refusal(text) == f"organizations[0].projects[1]: {message}"
    text = 'api_keys: [{label: x, user: bob@example.com, scopes: ["*"], scoped_projects: [Acme/Web]}]'
    assert refusal(text) == f"api_keys[0].scoped_projects[0]: {message}"


KEY = 'label: x, user: bob@example.com, scopes: ["*"]'


PROJECT = "organizations: [{name: Acme, projects: [{name: New}, {%s}]}]"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("organizations: [{name: Acme, members: {zoe@x.io: owner}}]", "organizations[0].members.zoe@x.io: there is no"),
        ('api_keys: [{label: x, user: zoe@x.io, scopes: ["*"]}]', "api_keys[0].user: there is no user 'zoe@x.io'"),
        (f"api_keys: [{{{KEY}, scoped_organizations: [None]}}]", "api_keys[0].scoped_organizations[0]: there is no"),
        (f"api_keys: [{{{KEY}, scoped_projects: [Web]}}]", "api_keys[0].scoped_projects[0]: there is no project 'Web'"),
        (f"api_keys: [{{{KEY}, scoped_projects: [Globex/Web]}}]", "api_keys[0].scoped_projects[0]: there is no"),
        (f'api_keys: [{{label: "{"x" * 41}", user: bob@example.com, scopes: ["*"]}}]', "api_keys[0].label: "),
        ("users: [{email: new@x.io}, {email: nobody}]", "users[1].email: "),
        ("users: [{email: new@x.io}, {email: bob@example.com, role_at_organization: boss}]", "users[1].role_at_"),
        ("users: [{email: bob@example.com, hedgehog_config: {size: .nan}}]", "users[0]"),
        ("organizations: [{name: New}, {name: ''}]", "organizations[1].name: "),
        (PROJECT % f"name: {'x' * 201}", "organizations[0].projects[1].name: "),
        (f"organizations: [{{name: New}}, {{name: {'x' * 65}}}]", "organizations[1].name: "),
        (PROJECT % "name: ''", "organizations[0].projects[1].name: "),
        (PROJECT % "name: Web, timezone: Mars/Base", "organizations[0].projects[1].timezone: "),
        (PROJECT % "name: Web, timezone: null", "organizations[0].projects[1].timezone: "),
        (PROJECT % "name: Web, timezone: 3", "organizations[0].projects[1].timezone: "),
        (PROJECT % "name: Web, slug: web", "organizations[0].projects[1].slug: unknown property"),
        (PROJECT % "name: Web, uuid: x", "organizations[0].projects[1].uuid: unknown property"),
        (PROJECT % "name: Web, organization: x", "organizations[0].projects[1].organization: unknown property"),
    ],
)
def test_a_bad_value_is_refused_at_its_path_and_nothing_is_written(text: str, path: str):
    assert refusal(text).startswith(path)
