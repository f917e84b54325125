import json
import time

import pytest
from django.core.management import CommandError

from core6.management.commands.provision import read_text
from core6.provisioning import world

NOT_A_WORLD = "neither YAML nor JSON"


def refusal(text: str) -> str:
    with pytest.raises(world.WorldError) as caught:
        world.read(text)
    message = str(caught.value)
    assert len(message.splitlines()) == 1, message
    return message


def organization(**properties: object) -> str:
    return json.dumps({"organizations": [{"name": "Globex"}, {"name": "Acme", **properties}]})


def project(**properties: object) -> str:
    return organization(projects=[{"name": "Web"}, {"name": "App", **properties}])


def key(**properties: object) -> str:
    return json.dumps({"api_keys": [{"label": "ci", "user": "a@x.io", "scopes": ["*"], **properties}]})


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n", "{}", "users: []\n"])
def test_an_empty_file_is_an_empty_world(text: str):
    found = world.read(text)
    assert (found.users, found.organizations, found.api_keys) == ([], [], [])


def test_yaml_and_json_say_the_same():
    text = """
    users: [{email: a@x.io, is_staff: true}]
    organizations:
      - name: Acme
        members: {a@x.io: owner}
        projects: [{name: Web, timezone: Europe/Berlin}]
    api_keys: [{label: ci, user: a@x.io, scopes: ["*"]}]
    """
    data = {
        "users": [{"email": "a@x.io", "is_staff": True}],
        "organizations": [
            {"name": "Acme", "members": {"a@x.io": "owner"}, "projects": [{"name": "Web", "timezone": "Europe/Berlin"}]}
        ],
        "api_keys": [{"label": "ci", "user": "a@x.io", "scopes": ["*"]}],
    }
    assert world.read(text) == world.read(json.dumps(data)) == world.read(json.dumps(data, indent=2))


def test_a_byte_order_mark_is_no_part_of_the_file():
    assert world.read("\ufeffusers: [{email: a@x.io}]").users[0].email == "a@x.io"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"people": []}', "people: unknown property"),
        ('{"users": [{"email": "a@x.io", "age": 3}]}', "users[0].age: unknown property"),
        (organization(slug="acme"), "organizations[1].slug: unknown property"),
        (
            project(dashboards=[{"name": "x", "id": 1}]),
            "organizations[1].projects[1].dashboards[0].id: unknown property",
        ),
        (project(insights=[{"name": "x", "id": 1}]), "organizations[1].projects[1].insights[0].id: unknown property"),
        (key(id=1), "api_keys[0].id: unknown property"),
        ('{"users": [{}]}', "users[0].email: this property is required"),
        ('{"organizations": [{}]}', "organizations[0].name: this property is required"),
        (organization(projects=[{}]), "organizations[1].projects[0].name: this property is required"),
        (project(dashboards=[{}]), "organizations[1].projects[1].dashboards[0].name: this property is required"),
        ('{"api_keys": [{"user": "a", "scopes": []}]}', "api_keys[0].label: this property is required"),
        ('{"api_keys": [{"label": "a", "scopes": []}]}', "api_keys[0].user: this property is required"),
        ('{"api_keys": [{"label": "a", "user": "a"}]}', "api_keys[0].scopes: this property is required"),
    ],
)
def test_an_unknown_or_missing_property_is_named(text: str, message: str):
    assert refusal(text) == message


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('{"users": [{"email": 3}]}', "users[0].email: "),
        ('{"users": [{"email": "a@x.io", "is_staff": "no"}]}', "users[0].is_staff: "),
        ('{"users": [{"email": "a@x.io", "first_name": null}]}', "users[0].first_name: "),
        ('{"users": [{"email": "a@x.io", "hedgehog_config": []}]}', "users[0].hedgehog_config: "),
        ('{"users": {"email": "a@x.io"}}', "users: "),
        ('{"users": ["a@x.io"]}', "users[0]: "),
        (organization(members=["a@x.io"]), "organizations[1].members: "),
        (organization(members={"a@x.io": "boss"}), "organizations[1].members: a@x.io: 'boss' is no level"),
        (organization(members={"a@x.io": 15}), "organizations[1].members.a@x.io: "),
        (project(api_token="abc"), "organizations[1].projects[1].api_token: "),
        (project(api_token="phc_with space"), "organizations[1].projects[1].api_token: "),
        (key(scopes=["annotation:read", "annotation:fly"]), "api_keys[0].scopes: there is no scope 'annotation:fly'"),
        (key(scopes=["teapot:read"]), "api_keys[0].scopes: there is no scope 'teapot:read'"),
        (key(scopes="*"), "api_keys[0].scopes: "),
        (key(value="phx_short"), "api_keys[0].value: "),
        (key(value="phx_with a space in it"), "api_keys[0].value: "),
    ],
)
def test_a_bad_value_is_refused_at_its_path(text: str, path: str):
    assert refusal(text).startswith(path)


def test_a_label_given_twice_is_refused():
    text = """
    api_keys:
      - {label: ci, user: a@x.io, scopes: ["*"]}
      - {label: ci, user: b@x.io, scopes: ["*"]}
    """
    assert refusal(text) == "api_keys[1].label: 'ci' stands twice, labels are unique in a file"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("users: [", NOT_A_WORLD),
        ("a: b: c", NOT_A_WORLD),
        ("\tusers: []", NOT_A_WORLD),
        ("users: \x00", NOT_A_WORLD),
        ("users: []\n---\nusers: []\n", NOT_A_WORLD),
        ("users: !!python/object/apply:os.getcwd []", NOT_A_WORLD),
        ("users: 2026-13-45", NOT_A_WORLD),
        ("[" * 10_000, NOT_A_WORLD),
        ("9" * 10_000, NOT_A_WORLD),
        ("just words", ""),
        ("[]", ""),
        ("3", ""),
    ],
)
def test_junk_is_refused_with_one_line(text: str, message: str):
    assert message in refusal(text)


def bomb(levels: int) -> str:
    each = [f"a{level + 1}: &a{level + 1} [{', '.join([f'*a{level}'] * 10)}]" for level in range(levels)]
    return "\n".join(["a0: &a0 [x, x, x, x, x, x, x, x, x, x]", *each])


@pytest.mark.parametrize(
    "text",
    [
        "users: &a [*a]",
        "users: &a [{email: *a}]",
        "users: &a {<<: *a}",
        "&a {*a : *a}",
        "users: [&a {email: a@x.io, hedgehog_config: &b {of: [*a, *b]}}]",
        bomb(8),
        bomb(100),
        "\n".join(["a0: &a0 {x: 1}", *(f"a{n + 1}: &a{n + 1} {{<<: [*a{n}, *a{n}]}}" for n in range(30))]),
        "\n".join(["a0: &a0 [x]", *(f"a{n + 1}: &a{n + 1} [*a{n}]" for n in range(3_000))]),
    ],
    ids=["list", "mapping", "merge", "key", "deep", "bomb", "large bomb", "bomb of merges", "long chain"],
)
def test_aliases_that_never_end_are_refused_at_once(text: str):
    started = time.monotonic()
    assert refusal(text) == "the file has aliases that contain themselves or repeat more than 100,000 values"
    assert time.monotonic() - started < 5


def test_a_world_may_have_aliases_of_yaml():
    text = """
    users:
      - &a {email: a@x.io, is_staff: true}
      - {<<: *a, email: b@x.io}
    api_keys:
      - {label: one, user: a@x.io, scopes: &scopes ["annotation:read"]}
      - {label: two, user: a@x.io, scopes: *scopes}
    """
    found = world.read(text)
    assert [(user.email, user.is_staff) for user in found.users] == [("a@x.io", True), ("b@x.io", True)]
    assert [each.scopes for each in found.api_keys] == [["annotation:read"]] * 2


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"users": [{"email": "a@x.io", "first_name": "A\x00"}]}),
        json.dumps({"users": [{"email": "a@x.io", "hedgehog_config": {"color": "\x00"}}]}),
        json.dumps({"organizations": [{"name": "\ud800"}]}),
        organization(members={"a@x.io\x00": "owner"}),
    ],
    ids=["NUL", "nested NUL", "half a surrogate pair", "NUL in a name"],
)
def test_text_that_no_database_can_hold_is_refused(text: str):
    refusal(text)


def test_a_name_of_two_lines_is_refused_in_one_line():
    refusal(json.dumps({"users": [{"email": "a@x.io", "first\nname": "A"}]}))


def test_a_broken_file_is_refused_without_a_word_of_its_keys():
    text = 'api_keys:\n  - label: ci\n    value: "phx_kept_to_ourselves_1234\n'
    assert "phx_kept" not in refusal(text)


def test_files_and_standard_input_are_read(tmp_path, monkeypatch):
    file = tmp_path / "world.yaml"
    file.write_text("users: [{email: a@x.io, first_name: Zoë}]", encoding="utf-8")
    assert "Zoë" in read_text(str(file))
    with file.open(encoding="utf-8") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert "Zoë" in read_text("-")


def test_a_file_that_cannot_be_read_is_refused_in_one_line(tmp_path):
    (tmp_path / "latin").write_bytes(b"users: [\xff]")
    for name, reason in (("none", "No such file"), (".", "Is a directory"), ("latin", "utf-8")):
        with pytest.raises(CommandError, match=f"cannot be read.*{reason}"):
            read_text(str(tmp_path / name))
