"""The contract as OpenAPI: the real service's names, every operation and field described, nothing left out."""

import json
import re
import runpy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.generators import SchemaGenerator

from annotations.models import Annotation
from cohorts.models import Cohort
from core6.accounts.models import User
from core6.analytics.models import Person
from core6.api.openapi.schema import ENVIRONMENTS
from core6.settings import BASE_DIR
from projects.onboarding import PRODUCTS
from roles.models import Role, RoleMembership
from tests.api.test_permission_matrix import MATRIX
from tests.conftest import Caller, Cast

CONTRACT = BASE_DIR / "tests" / "openapi.yml"
PLACEHOLDER = "https://core6.example.com"
FORWARDED = {"Host": "one.example", "X-Forwarded-Host": "api.example:8443", "X-Forwarded-Proto": "https"}
#: Components whose descriptions, docstrings of cohorts/serializers.py, are not plain yet.
REWRITTEN_LATER = ("Calculation", "Cohort")
METHODS = ("get", "post", "put", "patch", "delete")
ROOT = "/api/projects/"
#: The 18 operations of the page: method, resource, action, scope, success, what the answer is.
PAGE = """
patch action complete_product_onboarding project:read 200 ProjectBackwardCompat
patch action delete_secret_token_backup project:write 200 ProjectBackwardCompat
post action generate_conversations_public_token project:write 200 ProjectBackwardCompat
get action is_generating_demo_data project:read 200 ProjectDemoData
patch action reset_token project:write 200 ProjectBackwardCompat
patch action rotate_secret_token project:write 200 ProjectBackwardCompat
get roles list organization:read 200 PaginatedRoleList
post roles create organization:write 201 Role
get roles retrieve organization:read 200 Role
patch roles partial_update organization:write 200 Role
delete roles destroy organization:write 204 -
get annotations list annotation:read 200 PaginatedAnnotationList
post annotations create annotation:write 201 Annotation
get annotations retrieve annotation:read 200 Annotation
patch annotations partial_update annotation:write 200 Annotation
delete annotations destroy annotation:write 405 -
get cohorts list cohort:read 200 PaginatedCohortList
post cohorts create cohort:write 201 Cohort
""".strip().split("\n")
VERBS = {"get": "retrieve", "post": "create", "patch": "partial_update"}
COMPONENTS = """
    ProjectBackwardCompat Role Annotation Cohort UserBasic PaginatedRoleList PaginatedAnnotationList PaginatedCohortList
    RoleAtOrganizationEnum CreationTypeEnum AnnotationScopeEnum CohortTypeEnum WeekStartDayEnum BlankEnum
    EffectiveMembershipLevelEnum BusinessModelEnum TimezoneEnum
""".split()


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return SchemaGenerator().get_schema(public=True)


def operations(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in schema["paths"].items():
        for method in METHODS:
            if method in item:
                yield method, path, item[method]


def reference(operation: dict[str, Any], status: str) -> str:
    content = operation["responses"][status].get("content", {})
    return content["application/json"]["schema"]["$ref"].rpartition("/")[2] if content else "-"


@pytest.mark.parametrize("line", PAGE)
def test_the_pages_operations_have_the_real_names(schema: dict[str, Any], line: str):
    method, resource, action, scope, status, answer = line.split()
    below = "/api/organizations/{organization_id}" if resource in ("action", "roles") else "/api/projects/{project_id}"
    if resource == "action":
        path, name = f"{below}/projects/{{id}}/{action}/", f"{action}_{VERBS[method]}"
    else:
        path, name = f"{below}/{resource}/{'' if action in ('list', 'create') else '{id}/'}", f"{resource}_{action}"
    operation = schema["paths"][path][method]
    assert operation["operationId"] == name
    assert operation["tags"] == {
        "action": ["organizations", "projects"],
        "roles": ["organizations", "roles"],
    }.get(resource, [resource])
    assert operation["security"] == [{"PersonalAPIKeyAuth": [scope]}]
    assert [each for each in operation["responses"] if each < "300" or each == "405"] == [status]
    assert reference(operation, status) == answer
    assert f"`{scope}`" in operation["description"]


def test_the_components_have_the_real_names(schema: dict[str, Any]):
    assert set(COMPONENTS) - set(schema["components"]["schemas"]) == set()
    assert "NullEnum" not in schema["components"]["schemas"]
    scheme = schema["components"]["securitySchemes"]["PersonalAPIKeyAuth"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")


def test_the_contract_in_git_is_the_one_that_is_served(schema: dict[str, Any]):
    """A change of the contract is a change of tests/openapi.yml: `make schema` writes it anew."""
    served = json.loads(json.dumps(schema))
    served["paths"] = {path: item for path, item in served["paths"].items() if not path.startswith(ENVIRONMENTS)}
    assert yaml.safe_load(CONTRACT.read_text(encoding="utf-8")) == served, "run: make schema"


def test_environments_are_projects_by_another_name(schema: dict[str, Any]):
    """That is why tests/openapi.yml leaves them out (D73)."""

    def item(path: str) -> dict[str, Any]:
        differing = ("operationId", "tags", "description", "x-codeSamples")
        operations = schema["paths"][path].items()
        return {method: {k: v for k, v in each.items() if k not in differing} for method, each in operations}

    below = {root: {path for path in schema["paths"] if path.startswith(root)} for root in (ROOT, ENVIRONMENTS)}
    assert below[ENVIRONMENTS] == {path.replace(ROOT, ENVIRONMENTS) for path in below[ROOT]}
    assert len(below[ROOT]) > 15
    for path in below[ROOT]:
        assert item(path) == item(path.replace(ROOT, ENVIRONMENTS)), path
    for _, path, operation in operations(schema):
        is_one = path.startswith(ENVIRONMENTS)
        assert operation["operationId"].startswith("environments_") == is_one
        assert ("environments" in operation["tags"]) == is_one
        if is_one:
            assert operation["tags"] == ["environments"]
            assert all(ENVIRONMENTS in each["source"] for each in operation["x-codeSamples"])


def test_every_operation_says_what_it_does(schema: dict[str, Any]):
    found = list(operations(schema))
    assert len(found) > 50
    for method, path, operation in found:
        assert operation["summary"], (method, path)
        assert len(operation["description"]) > 20, (method, path)
        assert [each["lang"] for each in operation["x-codeSamples"]] == ["Shell", "Python", "JavaScript"]
        assert [each["name"] for each in operation.get("parameters", []) if not each.get("description")] == []


def test_every_field_says_what_it_is(schema: dict[str, Any]):
    silent = [
        f"{name}.{field}"
        for name, component in schema["components"]["schemas"].items()
        for field, part in component.get("properties", {}).items()
        if not part.get("description")
    ]
    assert silent == []


def test_onboarding_takes_every_product_and_any_context(schema: dict[str, Any]):
    schemas = schema["components"]["schemas"]
    fields = schemas["PatchedCompleteProductOnboardingRequest"]["properties"]
    assert schemas["ProductTypeEnum"]["enum"] == list(PRODUCTS)
    context = fields["intent_context"]
    assert (context["type"], context["maxLength"], "enum" in context) == ("string", 200, False)


def texts(schema: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield every text of the schema that people read, with its place; values of enums that follow it are left out."""
    yield "info", schema["info"]["description"]
    yield "key", schema["components"]["securitySchemes"]["PersonalAPIKeyAuth"]["description"]
    for method, path, operation in operations(schema):
        yield f"{method} {path}", operation["description"]
        for each in (*operation.get("parameters", ()), *operation["responses"].values()):
            yield f"{method} {path} {each.get('name')}", each["description"]
    for name, component in schema["components"]["schemas"].items():
        for field, part in {"": component, **component.get("properties", {})}.items():
            text = part.get("description", "").partition("* `")[0].strip()
            if text and not (field == "" and name.removeprefix("Patched").removesuffix("Request") in REWRITTEN_LATER):
                yield f"{name}.{field}", text


def test_every_text_is_plain_english(schema: dict[str, Any]):
    """A sentence that begins as one and ends as one; no reader of the schema knows the words of our documents."""
    form = re.compile(r"(?!(Who|Whom|What|How|Why|It|Its)\b)(?!When\.)[A-Z`]\S* .*\.", re.DOTALL)
    private = re.compile(
        r"\b(tells?|told|asks?|asked|heeds?|whoever|whom|notes|noted|people call|her|[A-G]\.\d|D\d+)\b|contract",
        re.IGNORECASE,
    )
    found = {place: text for place, text in texts(schema) if text != "No response body"}
    assert len(found) > 600
    assert {place: text for place, text in found.items() if not form.fullmatch(text) or private.search(text)} == {}


@pytest.mark.parametrize(
    ("field", "form"),
    [
        ("created_by", r"The user who created the \w+\. Null if unknown or deleted\."),
        ("user", r"The user( who (made the change|is the member)| of the member)\..*"),
        ("id", r"(UU)?ID of the .*\."),
        ("created_at", r"When the .* was (created|made|first seen|first recorded)\."),
        ("updated_at", r"When the .* was last changed\."),
        ("deleted", r"Whether the \w+ is deleted\. Set it to `true` to delete the \w+, and to `false` to restore it\."),
        ("count", r"Number of .*\."),
        ("total_count", r"Number of .*\."),
    ],
)
def test_the_same_field_is_described_in_the_same_words(schema: dict[str, Any], field: str, form: str):
    found = [text for place, text in texts(schema) if place.endswith(f".{field}")]
    assert found
    assert [text for text in found if not re.fullmatch(form, text)] == []


def test_an_enum_lists_no_value_that_names_itself(schema: dict[str, Any]):
    schemas = schema["components"]["schemas"]
    assert "description" not in schemas["TimezoneEnum"]
    assert schemas["ProjectBackwardCompat"]["properties"]["timezone"]["description"] == "Time zone of the project."
    assert schemas["AnnotationScopeEnum"]["description"] == "* `dashboard_item` - insight"
    assert schemas["WeekStartDayEnum"]["description"] == "* `0` - Sunday\n* `1` - Monday"


def test_every_error_has_one_component(schema: dict[str, Any]):
    for method, path, operation in operations(schema):
        errors = {status for status in operation["responses"] if status >= "400" and status != "405"}
        expected = {"400", "401", "403", "429", "503"} | ({"404"} if "{" in path else set())
        expected |= {"413", "415"} if method in ("post", "put", "patch") else set()
        expected |= {"409", "422"} if method == "post" else set()
        is_hard_delete = "405" in operation["responses"]
        expected |= {"412"} if method in ("put", "patch", "delete") and not is_hard_delete else set()
        assert errors == expected, (method, path)
        has_own = "complete_product_onboarding" in path
        assert {status: reference(operation, status) for status in errors} == {
            status: "OnboardingError" if has_own and status == "400" else "Error" for status in errors
        }


def test_the_error_of_a_wrong_product_type_has_one_more_key(schema: dict[str, Any], cast: Cast, alice: Caller):
    """D33: older clients read `error`; every other refusal of the operation lacks it."""
    error, plain = (schema["components"]["schemas"][name] for name in ("OnboardingError", "Error"))
    assert error["properties"].keys() - plain["properties"].keys() == {"error"}
    assert error["required"] == plain["required"]
    path = f"/api/projects/{cast.web.pk}/complete_product_onboarding/"
    for body in ({"product_type": None}, {"product_type": "nonsense"}):
        assert alice.patch(path, body).json().keys() == error["properties"].keys()
    assert alice.patch(path, {"week_start_day": 9}).json().keys() == plain["properties"].keys()


def test_a_hard_delete_is_explained(schema: dict[str, Any]):
    for name in ("annotations", "cohorts"):
        operation = schema["paths"][f"/api/projects/{{project_id}}/{name}/{{id}}/"]["delete"]
        assert operation["responses"]["405"] == {"description": "No response body"}
        assert "PATCH `deleted`" in operation["description"]


def test_bodies_offer_json_and_files_a_form_beside_it(schema: dict[str, Any]):
    """Several types of one component break clients by openapi-python-client (D45); forms are read all the same."""
    bodies = {
        op["operationId"]: list(op["requestBody"]["content"]) for _, _, op in operations(schema) if "requestBody" in op
    }
    with_files = {name for name, types in bodies.items() if types == ["application/json", "multipart/form-data"]}
    writes = ("cohorts_create", "cohorts_update", "cohorts_partial_update")
    assert with_files == {f"{prefix}{name}" for prefix in ("", "environments_") for name in writes}
    assert {tuple(types) for name, types in bodies.items() if name not in with_files} == {("application/json",)}


def routes(patterns: list[Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for pattern in patterns:
        here = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, here)
        elif isinstance(pattern, URLPattern) and hasattr(pattern.callback, "actions"):
            yield from ((method, here) for method in pattern.callback.actions if method in METHODS)


def test_every_route_is_in_the_schema_and_every_operation_is_called(schema: dict[str, Any]):
    plain = {(method, re.sub(r"\{\w+\}", "*", path).rstrip("/")) for method, path, _ in operations(schema)}
    found = set()
    for method, route in routes(get_resolver().url_patterns):
        path = re.sub(r"\(\?P<\w+>[^)]*\)|<\w+:\w+>", "*", route)
        path = path.replace("^", "").replace("$", "").replace("/?", "").replace("\\", "").rstrip("/")
        if ".*" not in path:
            found.add((method, f"/{path}"))
    assert found == plain
    called = {(each.method.lower(), re.sub(r"\{\w+\}", "*", each.path).rstrip("/")) for each in MATRIX.values()}
    assert called == plain


@pytest.mark.parametrize(("query", "accept"), [("?format=json", "*/*"), ("", "application/json")])
def test_the_schema_is_served_as_json(schema: dict[str, Any], client, query: str, accept: str):
    response = client.get(f"/api/schema/{query}", headers={"Accept": accept})
    assert response.status_code == 200
    assert json.loads(response.content)["paths"].keys() == schema["paths"].keys()


def test_the_schema_is_served_as_yaml_without_a_key(schema: dict[str, Any], client):
    response = client.get("/api/schema")
    assert response.status_code == 200
    assert yaml.safe_load(response.content)["components"].keys() == schema["components"].keys()


FORMATS = ("json", "yaml")


def hosts_of(schema: dict[str, Any]) -> list[list[str]]:
    """Return the hosts that each sample of each operation names."""
    sources = [each["source"] for _, _, operation in operations(schema) for each in operation["x-codeSamples"]]
    return [re.findall(r"\w+://[^/\s]+", source) for source in sources]


@pytest.mark.parametrize(
    ("headers", "host"),
    [
        ({"Host": "one.example"}, "http://one.example"),
        ({"Host": "two.example:8443"}, "http://two.example:8443"),
        ({"Host": "[::1]:8000"}, "http://[::1]:8000"),
        (FORWARDED, "http://one.example"),
    ],
)
def test_the_samples_name_the_host_of_the_request(client, settings, headers: dict[str, str], host: str):
    settings.ALLOWED_HOSTS = ["*"]
    served = client.get("/api/schema/?format=json", headers=headers).json()
    assert served["servers"] == [{"url": host}]
    found = hosts_of(served)
    assert len(found) > 150
    assert [each for each in found if each != [host]] == []


def test_the_schema_is_made_once_for_all_callers(client, settings, monkeypatch: pytest.MonkeyPatch):
    settings.ALLOWED_HOSTS = ["*"]
    before = {each: client.get(f"/api/schema/?format={each}", headers={"Host": "one.example"}) for each in FORMATS}
    monkeypatch.setattr(SchemaGenerator, "get_schema", None)  # making it again fails
    for name, first in before.items():
        again = client.get(f"/api/schema/?format={name}", headers={"Host": "one.example"})
        assert (again.status_code, again.content, again["ETag"]) == (200, first.content, first["ETag"])
        assert again["Content-Disposition"] == f'inline; filename="Core6.{name}"'
        other = client.get(f"/api/schema/?format={name}", headers={"Host": "two.example"})
        assert other.content == first.content.replace(b"http://one.example", b"http://two.example")
        assert other["ETag"] != first["ETag"]
        known = {"Host": "one.example", "If-None-Match": first["ETag"]}
        assert client.get(f"/api/schema/?format={name}", headers=known).status_code == 304


def test_behind_a_proxy_the_samples_name_the_host_of_the_proxy(client, settings):
    settings.ALLOWED_HOSTS = ["*"]
    settings.USE_X_FORWARDED_HOST = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    served = client.get("/api/schema/?format=json", headers=FORWARDED).json()
    assert served["servers"] == [{"url": "https://api.example:8443"}]
    assert {host for hosts in hosts_of(served) for host in hosts} == {"https://api.example:8443"}


def test_a_host_that_is_not_allowed_gets_no_schema(client):
    assert client.get("/api/schema/", headers={"Host": "evil.example"}).status_code == 400


def test_the_schema_of_the_command_line_names_no_real_host(schema: dict[str, Any]):
    assert schema["servers"] == [{"url": PLACEHOLDER}]
    assert {host for hosts in hosts_of(schema) for host in hosts} == {PLACEHOLDER}


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["/", "/api/schema/swagger-ui/", "/api/schema/redoc/"])
def test_the_pages_name_no_other_host(client, page: str):
    response = client.get(page)
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/html")
    text = response.content.decode()
    assert set(re.findall(r"""(?:src|href)=["'](\w+:)?//([^/"']+)""", text)) == set()
    for script in re.findall(r"""(?:src|href)=["'](/[^"'_][^"']+)""", text):  # health is the web server's
        found = client.get(script, follow=True)  # the console leads to its log-in
        assert found.status_code == 200, script
        found.close()


@pytest.mark.django_db(transaction=True)
def test_the_python_samples_work(
    schema: dict[str, Any], committed_cast: Cast, live_server, tmp_path, monkeypatch, capsys
):
    cast = committed_cast
    monkeypatch.setenv("POSTHOG_PERSONAL_API_KEY", cast.key(cast.alice))
    calls = 0
    for method, path, operation in operations(schema):
        if method == "delete" and re.search(r"/(projects|environments)/\{id\}/", path):
            continue  # the world would be gone
        # The user who makes a project switches to it.
        User.objects.update(current_project=cast.web)
        for name, value in _ids(cast, path).items():
            monkeypatch.setenv(name, str(value))
        source = next(each["source"] for each in operation["x-codeSamples"] if each["lang"] == "Python")
        file = tmp_path / "sample.py"
        file.write_text(source.replace(PLACEHOLDER, live_server.url))
        runpy.run_path(str(file))
        output = capsys.readouterr().out
        status = output.split()[0]
        expected = [each for each in operation["responses"] if each < "300"] or ["405"]
        # What a sample names and this world does not have is answered as unknown.
        unknown = ["400", "404"] if "memberships" in path or "person" in path else []
        assert status in [*expected, *unknown], (method, path, output)
        calls += 1
    assert calls > 50


def _ids(cast: Cast, path: str) -> dict[str, Any]:
    role = Role.objects.filter(organization=cast.acme, name__endswith="upport").first()
    role = role or Role.objects.create(organization=cast.acme, name="First support")
    member = role.organization.memberships.get(user=cast.bob)
    resource = path.partition("{id}")[0].strip("/").split("/")[-1]
    if resource == "annotations":
        found: Any = Annotation.objects.create(organization=cast.acme, project=cast.web, scope="project").pk
    elif resource == "cohorts":
        Person.objects.get_or_create(project_id=cast.web.pk)
        found = Cohort.objects.create(project=cast.web, is_static="duplicate" not in path).pk
    elif resource == "role_memberships":
        found = RoleMembership.objects.get_or_create(role=role, organization_member=member)[0].pk
    elif resource == "organizations":
        found = cast.acme.pk
    else:
        found = role.pk
    return {"ROLE_ID": role.pk, "ID": found}
