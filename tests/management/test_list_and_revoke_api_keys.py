import json
from typing import Any

import pytest

from core6.accounts.models import PersonalAPIKey
from core6.management.commands import list_api_keys, revoke_api_key
from core6.management.database_command import AttachedCommand
from core6.provisioning.world import WorldError
from tests.conftest import Caller, Cast


def run(command: AttachedCommand, *arguments: str) -> Any:
    return command.run(vars(command.create_parser("manage.py", "command").parse_args(arguments)))


def listed(*arguments: str) -> Any:
    return run(list_api_keys.Command(), *arguments)


def test_the_list_shows_keys_without_their_values(cast: Cast):
    value = cast.key(cast.bob, "annotation:read", "cohort:write", scoped_teams=[cast.web.pk])
    cast.key(cast.alice)
    mask = f"phx_...{value[-4:]}"
    rows = json.loads(listed("--json"))
    assert [row["user"] for row in rows] == ["alice@example.com", "bob@example.com"]
    assert {**rows[1], "label": ""} == {
        "user": "bob@example.com",
        "label": "",
        "mask": mask,
        "scopes": ["annotation:read", "cohort:write"],
        "scoped_organizations": [],
        "scoped_projects": [cast.web.pk],
        "last_used_at": None,
    }
    table = listed().splitlines()
    assert table[0].split("\t")[:3] == ["user", "label", "mask"]
    assert mask in table[2]
    assert value not in "\n".join(table)


def test_the_list_can_be_of_one_user(cast: Cast):
    cast.key(cast.bob)
    cast.key(cast.alice)
    assert [row["user"] for row in json.loads(listed("--user", "BOB@example.com", "--json"))] == ["bob@example.com"]
    assert json.loads(listed("--user", "nobody@example.com", "--json")) == []


def test_the_list_shows_when_a_key_was_used(cast: Cast, alice: Caller):
    alice.get("/api/users/@me/")
    assert json.loads(listed("--json"))[0]["last_used_at"].startswith("20")


def test_a_revoked_key_is_dead_on_the_next_request(cast: Cast, alice: Caller):
    other = cast.caller(cast.alice)
    label = PersonalAPIKey.objects.get(label=str(alice.key)[-40:]).label
    said = run(revoke_api_key.Command(), "--user", "alice@example.com", "--label", label)
    assert said == f"revoked phx_...{str(alice.key)[-4:]}"
    assert alice.get("/api/users/@me/").status_code == 401
    assert other.get("/api/users/@me/").status_code == 200


@pytest.mark.parametrize("user", ["alice@example.com", "nobody@example.com"])
def test_an_unknown_key_is_refused(cast: Cast, user: str):
    cast.key(cast.bob)
    with pytest.raises(WorldError, match=f"{user} has no key with the label 'ci'"):
        run(revoke_api_key.Command(), "--user", user, "--label", "ci")
    assert PersonalAPIKey.objects.exists()
