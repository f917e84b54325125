import json

import pytest
from django.core.management import CommandError

from core6.accounts import keys
from core6.accounts.models import Organization, PersonalAPIKey
from core6.management.commands.create_api_key import Command
from core6.provisioning.world import WorldError
from core6.security.masking import mask_key
from projects.models import Project
from tests.conftest import Caller, Cast, refused

ALICE = ("--user", "alice@example.com", "--label", "ci", "--scopes")


def create(*arguments: str) -> str:
    command = Command()
    options = command.create_parser("manage.py", "create_api_key").parse_args(arguments)
    return command.run(vars(options))


def annotations(project: Project) -> str:
    return f"/api/projects/{project.pk}/annotations/"


def test_the_key_is_printed_and_nothing_else(cast: Cast):
    printed = create(*ALICE, "*")
    assert printed.startswith("phx_")
    assert len(printed.split()) == 1
    assert PersonalAPIKey.objects.get(label="ci").secure_value == keys.digest(printed)


def test_json_holds_the_key_and_its_mask(cast: Cast):
    made = json.loads(create(*ALICE, "*", "--json"))
    assert made == {"value": made["value"], "mask": mask_key(made["value"])}


def test_the_key_works_with_its_scopes(cast: Cast):
    caller = Caller(create(*ALICE, "annotation:read, cohort:write"))
    assert caller.get(annotations(cast.web)).status_code == 200
    assert caller.post(annotations(cast.web), {"scope": "project"}).status_code == 403


def test_a_key_of_no_scope_may_do_nothing(cast: Cast):
    caller = Caller(create(*ALICE, ""))
    assert caller.get("/api/personal_api_keys/@current/").json()["scopes"] == []
    refusal = caller.get(annotations(cast.web))
    expected = refused("API key missing required scope 'annotation:read'")
    assert (refusal.status_code, refusal.json()) == (403, expected)


def test_a_key_without_restrictions_reaches_every_project(cast: Cast):
    caller = Caller(create(*ALICE, "*"))
    assert [caller.get(annotations(project)).status_code for project in (cast.web, cast.app)] == [200, 200]


def test_a_key_can_be_restricted_to_projects(cast: Cast):
    caller = Caller(create(*ALICE, "*", "--project", "Acme/Web"))
    assert [caller.get(annotations(project)).status_code for project in (cast.web, cast.app)] == [200, 403]


def test_a_key_can_be_restricted_to_several_of_both(cast: Cast):
    create(*ALICE, "*", *("--organization", "Acme", "--organization", "Globex", "--project", "Acme/App"))
    key = PersonalAPIKey.objects.get(label="ci")
    assert key.scoped_organizations == [cast.acme.pk, cast.globex.pk]
    assert key.scoped_teams == [cast.app.pk]


def test_a_key_of_another_organization_reaches_nothing_here(cast: Cast):
    caller = Caller(create(*ALICE, "*", "--organization", "Globex"))
    assert caller.get(annotations(cast.web)).status_code == 403


def test_a_project_whose_name_holds_a_slash_is_found(cast: Cast):
    cast.web.name = "a/b"
    cast.web.save()
    create(*ALICE, "*", "--project", "Acme/a/b")
    assert PersonalAPIKey.objects.get(label="ci").scoped_teams == [cast.web.pk]


def test_a_label_that_the_user_has_already_is_refused(cast: Cast):
    create(*ALICE, "annotation:read")
    with pytest.raises(WorldError, match=r"^alice@example.com has a key with the label 'ci' already"):
        create(*ALICE, "*")
    assert PersonalAPIKey.objects.get(label="ci").scopes == ["annotation:read"]


def test_another_user_may_have_a_key_of_that_label(cast: Cast):
    create(*ALICE, "*")
    create("--user", "bob@example.com", "--label", "ci", "--scopes", "*")
    assert PersonalAPIKey.objects.filter(label="ci").count() == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--user", "zoe@example.com", "--label", "ci", "--scopes", "*"), "there is no user 'zoe@example.com'"),
        ((*ALICE, "*", "--organization", "Nowhere"), "there is no organization 'Nowhere'"),
        ((*ALICE, "*", "--project", "Acme/Nowhere"), "there is no project 'Acme/Nowhere'"),
        ((*ALICE, "*", "--project", "Web"), "there is no project 'Web': write organization/project"),
        ((*ALICE, "annotation:fly"), "there is no scope 'annotation:fly'"),
        (("--user", "bob@example.com", "--label", "x" * 41, "--scopes", "*"), "label: "),
        (("--user", "bob@example.com", "--label", "", "--scopes", "*"), "label: "),
    ],
)
def test_what_is_unknown_is_refused_in_one_line(cast: Cast, arguments: tuple[str, ...], message: str):
    with pytest.raises(WorldError) as caught:
        create(*arguments)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert not PersonalAPIKey.objects.exists()


def test_a_name_of_two_organizations_is_refused(cast: Cast):
    Organization.objects.create(name="Acme")
    with pytest.raises(WorldError, match="two organizations have this name"):
        create(*ALICE, "*", "--organization", "Acme")


@pytest.mark.parametrize("left_out", ["--user", "--label", "--scopes"])
def test_user_label_and_scopes_are_required(left_out: str):
    given = {"--user": "a", "--label": "a", "--scopes": "*"}
    del given[left_out]
    with pytest.raises(CommandError, match=left_out):
        create(*(part for pair in given.items() for part in pair))
