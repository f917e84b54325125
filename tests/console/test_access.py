"""Who gets into the console, and what a page of another site can do to a user who is logged in."""

import subprocess
import sys
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from core6.accounts.models import PersonalAPIKey, User
from core6.console.login import ATTEMPTS
from core6.rate_limits.models import Window
from core6.settings import BASE_DIR
from core6.tasks import forget_sessions
from projects.models import Project
from tests.conftest import Cast
from tests.console.conftest import Console, address, place
from tests.support.log_lines import logged

PASSWORD = "a long and lovely password"  # of a test
LOGIN = "/admin/login/?next=/admin/"


@pytest.fixture
def staff(cast: Cast) -> User:
    cast.alice.is_staff = True
    cast.alice.set_password(PASSWORD)
    cast.alice.save()
    return cast.alice


def log_in(client: Client, email: str, password: str = PASSWORD) -> bool:
    answer = client.post(LOGIN, {"username": email, "password": password})
    assert answer.status_code in (200, 302)
    return answer.status_code == 302 and client.get("/admin/").status_code == 200


def test_a_stranger_is_sent_to_the_login(client: Client, db: None):
    answer = client.get("/admin/projects/project/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/login/?next=/admin/projects/project/")
    assert client.get("/admin").headers["Location"] == "/admin/"


def test_a_user_of_the_console_logs_in_whatever_the_case_of_the_email(staff: User):
    assert log_in(Client(), "alice@example.com")
    assert log_in(Client(), "ALICE@example.com")


@pytest.mark.parametrize("rest", ["", "?next=", "?next=https://evil.example.com/"])
def test_a_login_that_names_no_page_of_ours_leads_to_the_console(staff: User, rest: str):
    answer = Client().post(f"/admin/login/{rest}", {"username": "alice@example.com", "password": PASSWORD})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/")


def test_a_user_without_the_right_or_the_password_does_not_log_in(staff: User, cast: Cast):
    cast.bob.set_password(PASSWORD)
    cast.bob.save()
    assert not log_in(Client(), "bob@example.com")
    assert not log_in(Client(), "alice@example.com", "another password")
    assert not log_in(Client(), "nobody@example.com")
    User.objects.filter(pk=staff.pk).update(is_active=False)
    assert not log_in(Client(), "alice@example.com")


def test_a_user_who_is_deactivated_is_out_at_once(console: Console):
    assert console.get("/admin/").status_code == 200
    User.objects.filter(pk=console.user.pk).update(is_active=False)
    assert console.get("/admin/").status_code == 302


def test_a_user_who_loses_the_right_is_out_at_once(console: Console):
    User.objects.filter(pk=console.user.pk).update(is_staff=False)
    assert console.get("/admin/").status_code == 302


def test_attempts_of_yesterday_are_forgotten(staff: User):
    for email in ("alice@example.com", "nobody@example.com"):
        assert not log_in(Client(), email, "a guess")
    assert Window.objects.count() == 2 * len(ATTEMPTS)
    forget_sessions(0)
    assert Window.objects.count() == 2 * len(ATTEMPTS)
    Window.objects.update(started=timezone.now() - timedelta(days=1, seconds=1))
    forget_sessions(0)
    assert not Window.objects.exists()


def test_sessions_that_have_ended_are_forgotten(console: Console, cast: Cast):
    Console(cast.bob)
    ended = Session.objects.get(pk=console.client.cookies["sessionid"].value)
    Session.objects.filter(pk=ended.pk).update(expire_date=timezone.now())
    assert console.get("/admin/").status_code == 302
    forget_sessions(0)
    assert [each.get_decoded()["_auth_user_id"] for each in Session.objects.all()] == [str(cast.bob.pk)]


def test_an_api_key_opens_no_door(cast: Cast):
    User.objects.filter(pk=cast.alice.pk).update(is_staff=True)
    assert cast.caller(cast.alice).get("/admin/").status_code == 302


def test_the_cookies_are_of_the_console_alone(staff: User):
    client = Client()
    assert log_in(client, "alice@example.com")
    assert set(client.cookies) >= {"sessionid", "csrftoken"}
    for cookie in client.cookies.values():
        assert (cookie["path"], cookie["samesite"], cookie["httponly"]) == ("/admin/", "Lax", True) or (
            cookie.key == "messages"
        )


def test_a_session_is_no_key(console: Console, cast: Cast):
    answer = console.get(f"/api/projects/{cast.web.pk}/annotations/")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


@pytest.mark.parametrize("button", ["reset_token", "rotate_secret_token"])
def test_a_button_does_nothing_before_it_is_confirmed(console: Console, cast: Cast, button: str):
    before = cast.web.api_token
    assert "openModal" in console.read(address(cast.web, button))
    cast.web.refresh_from_db()
    assert (cast.web.api_token, cast.web.secret_api_token) == (before, None)


def test_a_page_elsewhere_cannot_press_a_button(console: Console, cast: Cast):
    before = cast.web.api_token
    elsewhere = Client(enforce_csrf_checks=True)
    elsewhere.force_login(console.user)
    for path, data in (
        (address(cast.web, "reset_token"), {"_form_submitted": "True"}),
        (place(PersonalAPIKey, "add/"), {"user": console.user.pk, "label": "theirs", "scopes": "*"}),
        (LOGIN, {"username": "alice@example.com", "password": PASSWORD}),
    ):
        assert elsewhere.post(path, data).status_code == 403, path
    cast.web.refresh_from_db()
    assert cast.web.api_token == before
    assert not PersonalAPIKey.objects.filter(label="theirs").exists()


def test_a_stranger_presses_no_button(cast: Cast):
    before = cast.web.api_token
    assert Client().post(address(cast.web, "reset_token"), {"_form_submitted": "True"}).status_code == 302
    cast.web.refresh_from_db()
    assert cast.web.api_token == before


def test_scripts_of_the_pages_are_ours(console: Console):
    policy = console.get("/admin/").headers["Content-Security-Policy"]
    assert "script-src 'self' 'unsafe-eval'" in policy
    assert "default-src 'self'" in policy
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";", maxsplit=1)[0]


def test_no_page_is_kept_by_a_browser(console: Console):
    assert "no-store" in console.get("/admin/").headers["Cache-Control"]


def test_the_lists_are_loaded_at_the_first_use():
    code = (
        "import sys; import core6.wsgi; assert 'core6.console.urls' not in sys.modules; assert 'unfold.admin' not in"
        " sys.modules; from django.urls import resolve; resolve('/admin/'); assert 'core6.console.urls' in sys.modules"
    )
    given = {"SECRET_KEY": "of a test", "PATH": "", "CORE6_DATA_DIR": "/nowhere/at/all"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=BASE_DIR, env=given, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_log_names_the_user(console: Console, settings):
    settings.MIDDLEWARE = ["core6.observability.request_log.RequestLogMiddleware", *settings.MIDDLEWARE]
    mine = Console(console.user)
    with logged() as lines:
        mine.read(place(Project))
    finished = [line for line in lines if line["event"] == "request_finished"]
    assert [(line["route"], line["status"], line["user_id"]) for line in finished] == [
        ("/admin/projects/project/", 200, console.user.pk)
    ]
