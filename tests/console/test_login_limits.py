"""How often a login may be tried: by address, by account, by known device; and how many at a time."""

import time
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from core6.accounts.models import User
from core6.console.login import ATTEMPTS, HASHING, PATIENCE
from tests.conftest import Cast

PASSWORD = "a long and lovely password"  # of a test
LONG = 10**9
LOGIN = "/admin/login/?next=/admin/"
MOST = ATTEMPTS[60]


@pytest.fixture
def staff(cast: Cast, settings, monkeypatch: pytest.MonkeyPatch) -> User:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # hundreds of attempts
    monkeypatch.setattr("core6.console.login.ATTEMPTS", {LONG: MOST})  # no window ends during the test
    for user in (cast.alice, cast.bob):
        user.is_staff = True
        user.set_password(PASSWORD)
        user.save()
    return cast.alice


def at(place: str, **given: Any) -> Client:
    """Return a new browser at an address."""
    return Client(REMOTE_ADDR=place, **given)


def attempt(client: Client, email: str = "alice@example.com", password: str = PASSWORD, **extra: Any) -> int:
    return client.post(LOGIN, {"username": email, "password": password}, **extra).status_code


def guess(client: Client, times: int = MOST, email: str = "alice@example.com") -> set[int]:
    return {attempt(client, email, "a guess") for _ in range(times)}


def besiege(email: str = "alice@example.com") -> None:
    """Lock an account out from many addresses."""
    assert [attempt(at(f"203.0.113.{n}"), email, "a guess") for n in range(MOST)][: MOST - 1] == [200] * (MOST - 1)


def test_a_password_cannot_be_guessed_for_long(staff: User):
    assert min(ATTEMPTS) == 60
    client = at("192.0.2.1")
    assert guess(client) == {200}
    answer = client.post(LOGIN, {"username": "ALICE@example.com", "password": PASSWORD})
    assert answer.status_code == 429, "the right one counts, too"
    assert int(answer["Retry-After"]) > 60
    assert "There were too many attempts: wait, then try again." in answer.content.decode()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE rate_limits_window SET started = started - make_interval(secs => %s)", [LONG])
    assert attempt(client) == 302


def test_an_address_is_counted_whatever_it_types(staff: User):
    client = at("192.0.2.1")
    assert {attempt(client, f"nobody{n}@example.com") for n in range(MOST)} == {200}
    assert attempt(at("192.0.2.1"), "bob@example.com") == 429
    # What is refused there counts for no account.
    assert guess(client, 2 * MOST) == {429}
    assert attempt(at("192.0.2.2")) == 302


def test_an_account_is_counted_wherever_from(staff: User):
    besiege()
    assert attempt(at("192.0.2.2")) == 429
    assert attempt(at("192.0.2.2"), "bob@example.com") == 302


@pytest.mark.parametrize("spelling", ["ALICE@example.com", "al\u0131ce@example.com", " alice@example.com "])
def test_another_spelling_has_no_counter_of_its_own(staff: User, spelling: str):
    """To the database a dotless i is an i, too, where it compares whatever the case."""
    if attempt(at("192.0.2.1"), spelling) != 302:
        pytest.skip("this database takes it for another name")
    assert {attempt(at(f"203.0.113.{n}"), spelling, "a guess") for n in range(MOST - 1)} == {200}
    assert attempt(at("192.0.2.2")) == 429
    assert attempt(at("192.0.2.3"), spelling) == 429


def test_a_client_of_ipv6_has_a_whole_network(staff: User):
    assert {attempt(at(f"2001:db8::{n:x}"), "nobody@example.com") for n in range(MOST)} == {200}
    assert attempt(at("2001:db8::ffff:1")) == 429
    assert attempt(at("2001:db8:0:1::1")) == 302


def test_behind_a_proxy_its_word_counts_and_no_other(staff: User, settings):
    settings.IS_BEHIND_PROXY = True
    for n in range(MOST):
        assert attempt(at("127.0.0.1"), "nobody@example.com", HTTP_X_FORWARDED_FOR=f"198.51.100.{n}, 192.0.2.1") == 200
    assert attempt(at("127.0.0.1"), HTTP_X_FORWARDED_FOR="198.51.100.99, 192.0.2.1") == 429
    assert attempt(at("127.0.0.1"), HTTP_X_FORWARDED_FOR="192.0.2.1, 192.0.2.2") == 302


def test_without_a_proxy_nobody_names_another_address(staff: User):
    for n in range(MOST):
        assert attempt(at("192.0.2.1"), "nobody@example.com", HTTP_X_FORWARDED_FOR=f"198.51.100.{n}") == 200
    assert attempt(at("192.0.2.1"), HTTP_X_FORWARDED_FOR="198.51.100.99") == 429


def test_strangers_lock_out_nobody_who_was_there_before(staff: User):
    known = at("192.0.2.1")
    assert attempt(known) == 302
    besiege()
    assert attempt(at("192.0.2.9")) == 429
    guess(at("192.0.2.1"), email="nobody@example.com")
    assert attempt(at("192.0.2.1"), "bob@example.com") == 429
    known.post("/admin/logout/")
    assert attempt(known) == 302


def test_a_known_device_has_a_counter_of_its_own(staff: User):
    known = at("192.0.2.1")
    assert attempt(known) == 302
    assert guess(known) == {200}
    assert attempt(known) == 429
    assert attempt(at("192.0.2.1")) == 302, "it counts for nobody else"


def test_a_device_is_known_for_its_own_account(staff: User):
    known = at("192.0.2.1")
    assert attempt(known, "bob@example.com") == 302
    besiege()
    assert attempt(known) == 429


def test_a_cookie_that_was_made_up_is_none(staff: User):
    known = at("192.0.2.1")
    assert attempt(known) == 302
    besiege()
    real = known.cookies["device"].value
    for made_up in ("", f"{staff.pk} x", f"{staff.pk} x:1:x", real[:-1], real.replace(str(staff.pk), "0", 1)):
        stranger = at("192.0.2.9")
        stranger.cookies["device"] = made_up
        assert attempt(stranger) == 429, made_up


@pytest.mark.parametrize("is_secure", [True, False])
def test_the_cookie_of_a_device_is_for_the_server_alone(staff: User, is_secure: bool):
    client = Client()
    assert "device" not in client.post(LOGIN, {"username": "alice@example.com", "password": "a guess"}).cookies
    answer = client.post(LOGIN, {"username": "alice@example.com", "password": PASSWORD}, secure=is_secure)
    cookie = answer.cookies["device"]
    assert (cookie["path"], cookie["samesite"], cookie["httponly"]) == ("/admin/", "Lax", True)
    assert bool(cookie["secure"]) == is_secure
    assert int(cookie["max-age"]) > 30 * 24 * 3600
    assert "alice" not in cookie.value


@pytest.mark.parametrize("is_known", [True, False])
def test_passwords_are_looked_at_one_at_a_time(staff: User, is_known: bool):
    """Strangers who send many keep none of those waiting who were there before, nor the other way round."""
    known, stranger = at("192.0.2.1"), at("192.0.2.2")
    assert attempt(known) == 302
    waiting, other = (known, stranger) if is_known else (stranger, known)
    with HASHING[is_known]:
        began = time.monotonic()
        answer = waiting.post(LOGIN, {"username": "alice@example.com", "password": PASSWORD})
        assert PATIENCE <= time.monotonic() - began < PATIENCE + 2
        assert (answer.status_code, answer["Retry-After"]) == (429, "2")
        assert "Too many people log in at the moment: wait, then try again." in answer.content.decode()
        assert attempt(other) == 302
    assert attempt(waiting) == 302
