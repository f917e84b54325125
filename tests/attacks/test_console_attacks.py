"""The console against pages elsewhere, keys, old sessions and texts that would be scripts, at every address it has."""

import re
from collections.abc import Iterator
from html import escape
from html.parser import HTMLParser
from itertools import product
from typing import Any, Final
from urllib.parse import quote

import pytest
from django.apps import apps
from django.contrib.sessions.models import Session
from django.db import connection, models
from django.test import Client
from django.urls import URLPattern, URLResolver
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from core6.accounts.models import Organization, PersonalAPIKey, User
from core6.activity.models import ActivityLog
from core6.console.site import site
from core6.console.urls import urlpatterns
from projects.models import Project
from roles.models import Role
from tests.attacks.marked_world import MARK, World, taken_back
from tests.console.conftest import Console, address, place
from tests.support.database_state import state
from tests.support.routes import api_routes
from tests.support.sampling import sampled

pytestmark = pytest.mark.django_db
PASSWORD: Final = "a long and lovely password"  # of a test
LOGIN: Final = "/admin/login/"
MODELS: Final = [model for model, _ in site._registry.items()]


def console_patterns(patterns: list[Any], before: str = "/admin/") -> Iterator[str]:
    for each in patterns:
        text = before + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from console_patterns(each.url_patterns, text)
        elif isinstance(each, URLPattern):
            yield text


PATTERNS: Final = tuple(dict.fromkeys(console_patterns(urlpatterns)))


@pytest.fixture(autouse=True)
def everything_is_taken_back(world: World) -> Iterator[None]:
    with taken_back():
        yield


@pytest.fixture
def staff(world: World, settings: Any) -> User:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the ordinary one takes its time
    alice = world.cast.alice
    alice.is_staff = True
    alice.set_password(PASSWORD)
    alice.save()
    return alice


@pytest.fixture
def console(staff: User) -> Console:
    return Console(staff)


def rows(world: World) -> dict[type[models.Model], Any]:
    """Return one object of each kind that the console shows."""
    world.cast.key(world.cast.bob)
    app.configure_task("core6.tasks.forget_answers").defer(timestamp=0)
    found: dict[type[models.Model], Any] = {
        User: world.cast.bob,
        Organization: world.cast.acme,
        Project: world.cast.web,
        Role: world.role,
        type(world.note): world.note,
        type(world.cohort): world.cohort,
        PersonalAPIKey: PersonalAPIKey.objects.latest("created_at"),
        ProcrastinateJob: ProcrastinateJob.objects.latest("id"),
        ActivityLog: ActivityLog.objects.latest("id"),
    }
    assert set(found) == set(MODELS)
    return found


def filled(pattern: str, objects: dict[type[models.Model], Any]) -> str:
    """Return the address of a pattern, with an object that is there."""
    label = re.match(r"/admin/(\w+)/(\w+)/", pattern)
    found: Any = None
    if label and (label[1], label[2]) in {(each._meta.app_label, each._meta.model_name) for each in MODELS}:
        found = objects[apps.get_model(label[1], label[2])]
    path = re.sub(r"<path:\w+>|<str:object_id>|<id>|<int:\w+>", str(found.pk) if found else "1", pattern)
    path = re.sub(r"\(\?P<url>.*\)\$", "nothing", path)
    return re.sub(r"\^\(\?P<app_label>[^)]*\)/\$|\(\?P<app_label>[^)]*\)/?\$?", "accounts/", path)


def test_the_addresses_are_those_of_the_console(world: World):
    assert len(PATTERNS) >= 5 * len(MODELS)
    objects = rows(world)
    assert not [path for path in (filled(each, objects) for each in PATTERNS) if re.search(r"[<>^$()?\\]", path)]


@pytest.mark.parametrize("pattern", sampled(PATTERNS, 5))
def test_a_post_without_a_token_is_refused(world: World, staff: User, pattern: str):
    """With any body, and with any origin that it claims."""
    path = filled(pattern, rows(world))
    client = Client(enforce_csrf_checks=True)
    client.force_login(staff)
    assert client.get("/admin/").status_code == 200
    before = state()
    token = {"csrfmiddlewaretoken": "x" * 64}
    for sent, headers in (
        ({"_form_submitted": "True", "post": "yes"}, {}),
        (token, {"Origin": "https://evil.example"}),
        (token, {"Origin": "null", "Referer": "https://evil.example/admin/"}),
        ({"action": "delete_selected"}, {"X-CSRFToken": "x" * 64}),
    ):
        assert client.post(path, sent, headers=headers).status_code == 403, path
    assert state() == before


@pytest.mark.parametrize("pattern", sampled(PATTERNS, 6))
def test_a_caller_who_is_no_user_of_the_console_sees_no_page(world: World, pattern: str):
    """A member without the right, by a session and by a key, and nobody: all are led to the login."""
    path = filled(pattern, rows(world))
    member = Client()
    member.force_login(world.cast.carol)
    key = {"Authorization": f"Bearer {world.cast.key(world.cast.carol)}"}
    before = state()
    for client in (member, Client(), Client(headers=key)):
        for method in ("GET", "POST"):
            answer = client.generic(method, path)
            if any(part in path for part in ("/login/", "/logout/", "/jsi18n/")):
                assert world.cast.acme.name not in answer.content.decode()
            else:
                assert answer.status_code == 302
                assert answer["Location"].startswith(LOGIN), path
    assert state() == before


@pytest.mark.parametrize("pattern", sampled(PATTERNS, 6))
def test_every_page_forbids_frames_and_scripts_of_others(world: World, console: Console, pattern: str):
    path = filled(pattern, rows(world))
    answer = console.get(path)
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"
    policy = answer["Content-Security-Policy"]
    for directive in ("frame-ancestors 'none'", "object-src 'none'", "base-uri 'none'", "form-action 'self'"):
        assert directive in policy, path


@pytest.mark.parametrize("template", sampled(api_routes(), 8))
def test_a_session_opens_no_address_of_the_api(world: World, console: Console, template: str):
    path = world.at(template)
    before = state()
    for method in api_routes()[template].methods:
        answer = console.client.generic(method, path, "{}", content_type="application/json")
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert state() == before


def log_in(client: Client, where: str = LOGIN) -> Any:
    return client.post(where, {"username": "alice@example.com", "password": PASSWORD})


def test_a_login_gives_a_new_session(staff: User):
    """The id that a page elsewhere had planted before is worth nothing afterwards."""
    client = Client()
    session = client.session
    session["planted"] = True
    session.save()
    planted = client.cookies["sessionid"].value
    assert log_in(client).status_code == 302
    assert client.cookies["sessionid"].value != planted
    thief = Client()
    thief.cookies["sessionid"] = planted
    assert thief.get("/admin/").status_code == 302
    assert not Session.objects.filter(pk=planted).exists()


@pytest.mark.parametrize("value", ["planted", "x" * 32, "", "../../etc/passwd", "' OR '1'='1", "a" * 10_000])
def test_a_session_id_of_the_clients_own_is_not_taken(staff: User, value: str):
    client = Client()
    client.cookies["sessionid"] = value
    assert log_in(client).status_code == 302
    assert client.cookies["sessionid"].value not in (value, "")


def test_a_logout_ends_a_stolen_session(staff: User):
    client = Client()
    log_in(client)
    thief = Client()
    thief.cookies["sessionid"] = client.cookies["sessionid"].value
    assert thief.get("/admin/").status_code == 200
    assert client.get("/admin/logout/").status_code == 405  # no link and no picture logs anybody out
    assert thief.get("/admin/").status_code == 200
    assert client.post("/admin/logout/").status_code in (200, 302)
    assert thief.get("/admin/").status_code == 302
    assert not Session.objects.exists()


@pytest.mark.parametrize("change", [{"is_active": False}, {"is_staff": False}, {"password": "!"}])
def test_a_session_ends_with_its_user_at_every_page(world: World, console: Console, change: dict[str, Any]):
    objects = rows(world)
    User.objects.filter(pk=console.user.pk).update(**change)
    before = state()
    for model, each in objects.items():
        for path in (place(model), address(each)):
            for answer in (console.get(path), console.client.post(path, {})):
                assert (answer.status_code, answer["Location"].startswith(LOGIN)) == (302, True)
    assert state() == before


ELSEWHERE: Final = (
    *("//evil.example", "///evil.example", "https:evil.example", "https:///evil.example", "http://evil.example"),
    *("\\\\evil.example", "/\\evil.example", "\\/evil.example", "//evil.example\\@testserver", "ftp://testserver/"),
    *("javascript:alert(1)", "data:text/html,x", " //evil.example", "\t//evil.example", "/\t/evil.example"),
    *(
        "//evil%E3%80%82example",
        "//[evil.example]",
        "http:\\\\evil.example",
        "HTTPS://EVIL.EXAMPLE",
        "/\n/evil.example",
    ),
    "https://testserver@evil.example",
)


@pytest.mark.parametrize(("target", "is_in_form"), sampled(product(ELSEWHERE, (True, False)), 4))
def test_a_login_leads_to_no_other_host(staff: User, target: str, is_in_form: bool):
    client = Client()
    query = "" if is_in_form else f"?next={quote(target)}"
    sent = {"username": "alice@example.com", "password": PASSWORD, **({"next": target} if is_in_form else {})}
    answer = client.post(f"{LOGIN}{query}", sent)
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")
    again = client.get(f"{LOGIN}?next={quote(target)}")  # of somebody who is in already
    assert (again.status_code, again["Location"]) == (302, "/admin/")


SCRIPTS: Final = (
    f"<script>{MARK}()</script>",
    f"</script></textarea></title><{MARK}x onload={MARK}()>",
    f'" onmouseover="{MARK}()" {MARK}x="',
    f"' onmouseover='{MARK}()' {MARK}x='",
    f"javascript:{MARK}()",
    f"{MARK}{{{{7*7}}}}${{7*7}}{{% now 'Y' %}}",
)
_LINKS: Final = ("href", "src", "action", "formaction", "data")


class Page(HTMLParser):
    """Notes what of a page came from a stored text and is more than a text."""

    def __init__(self, content: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._within = ""
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._within = tag if tag in ("script", "style") else ""
        if MARK in tag:
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            text = (value or "").strip().lower()
            is_code = name.startswith(("on", "x-", "@", ":", "hx-on")) or name in ("style", "srcdoc")
            is_link = name in _LINKS and text.startswith(("javascript:", "data:t"))
            if MARK in name or (MARK in text and (is_code or is_link)):
                self.found.append(f"<{tag} {name}={value}>")

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within and MARK in data:
            self.found.append(f"<{self._within}> {data[:80]}")
        if f"{MARK}49" in data:
            self.found.append(data[:80])


@pytest.mark.parametrize(
    "content",
    [
        *SCRIPTS[:2],
        f'<a title="{SCRIPTS[2]}">',
        f"<a title='{SCRIPTS[3]}'>",
        f'<a href="{SCRIPTS[4]}">',
        f'<div x-data="{MARK}">',
        f"<script>let a = '{MARK}'</script>",
        f"{MARK}49",
    ],
)
def test_a_script_in_a_page_is_noticed(content: str):
    assert Page(content).found
    assert not Page(escape(content).replace("49", "48")).found


def poison(world: World, script: str) -> dict[type[models.Model], Any]:
    """Put a script into every text that somebody can store, by the API or the console; return the rows."""
    objects = rows(world)
    others = [world.cast.alice, world.dashboard, world.insight]
    for each in [*(row for model, row in objects.items() if model is not ProcrastinateJob), *others]:
        for name in _texts(each):
            most = each._meta.get_field(name).max_length
            setattr(each, name, script[:most] if most else script)
        each.save()
    for project in (world.cast.web, world.shop):
        project.app_urls, project.modifiers = [script], {script: script}
        project.save()
    leaf = {"type": "person", "key": script, "value": script}
    world.cohort.filters = {"properties": {"type": "AND", "values": [leaf]}}
    world.cohort.errors_calculating = 1
    world.cohort.save()
    world.cohort.calculations.update(error=script, error_code="timeout")
    ActivityLog.objects.update(detail={"name": script, "changes": [{"field": script, "after": script}]})
    with connection.cursor() as cursor:
        arguments = "jsonb_build_object('a', %s::text)"
        cursor.execute(f"UPDATE procrastinate_jobs SET lock = %s, args = {arguments}", [script, script])
    return objects


def _texts(row: models.Model) -> list[str]:
    """Return the fields that take any text."""
    kept = {"id", "password", "email", "secure_value", "mask_value", "distinct_id", "scope", "activity", "item_id"}
    kept |= {"api_token", "secret_api_token", "secret_api_token_backup", "timezone"}
    return [
        field.name
        for field in row._meta.concrete_fields
        if isinstance(field, models.CharField | models.TextField) and not field.choices and field.name not in kept
    ]


@pytest.mark.parametrize("script", sampled(SCRIPTS, 5))
def test_what_somebody_stored_is_shown_as_text(world: World, console: Console, script: str):
    objects, found, shown = poison(world, script), {}, 0
    for pattern in PATTERNS:
        if "autocomplete" in pattern or "jsi18n" in pattern or "logout" in pattern:
            continue
        path = filled(pattern, objects)
        answer = console.get(path)
        assert answer.status_code in (200, 302, 403, 404), (path, answer.status_code)
        if "text/html" in answer["Content-Type"]:
            page = Page(answer.content.decode())
            shown += MARK in answer.content.decode()
            if page.found:
                found[path] = page.found
    assert found == {}
    assert shown >= 2 * len(MODELS)


@pytest.mark.parametrize("script", sampled(SCRIPTS, 5))
def test_what_an_address_says_is_shown_as_text(world: World, console: Console, script: str):
    """In a search, a filter, an order, the page of an error, and the form of the login."""
    sent = quote(script, safe="")
    lists = [
        f"{place(model)}{rest}"
        for model in MODELS
        for rest in (f"?q={sent}", f"?o={sent}", f"?e={sent}", f"?{sent}={sent}", f"?p={sent}", f"{sent}/change/")
    ]
    others = [f"{LOGIN}?next={sent}", f"{LOGIN}?{sent}", f"/admin/{sent}/", f"/admin/accounts/{sent}/", f"/{sent}"]
    found = {}
    for client, path in [*product([console.client], [*lists, *others]), *product([Client()], others)]:
        answer = client.get(path)
        assert answer.status_code < 500
        if "text/html" in answer.headers.get("Content-Type", "") and (page := Page(answer.content.decode())).found:
            found[path] = page.found
    form = Client().post(LOGIN, {"username": script, "password": "x", "next": script})
    if (page := Page(form.content.decode())).found:
        found[LOGIN] = page.found
    assert found == {}


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_a_message_repeats_is_shown_as_text(world: World, console: Console, script: str):
    """A name that was just given, in the message behind a change and in the question before a deletion."""
    changed = console.fill(address(world.role), name=script)
    assert changed.status_code == 302
    pages = [console.read(changed["Location"]), console.read(address(world.role, "delete"))]
    refused = console.fill(place(Role, "add/"), organization=world.cast.acme.pk, name=script)
    pages.append(refused.content.decode())
    assert all(MARK in page for page in pages)
    assert [Page(page).found for page in pages] == [[], [], []]
