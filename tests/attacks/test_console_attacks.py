"""The console against pages elsewhere: what changes something needs a token, at every address that there is."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from core6.accounts.models import User
from core6.console.site import site
from core6.console.urls import urlpatterns
from tests.conftest import Cast
from tests.database_state import state

_PART = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>[^)]*\)")


def addresses(patterns: Any = urlpatterns, before: str = "/admin/") -> Iterator[str]:
    """Yield every address of the console, `1` for each part that is a row's."""
    for each in patterns:
        route = _PART.sub("1", str(each.pattern)).strip("^$").replace("\\Z", "").replace("\\", "")
        if hasattr(each, "url_patterns"):
            yield from addresses(each.url_patterns, before + route)
        elif ".*" not in route and "<" not in route:
            yield before + route


ADDRESSES = sorted(set(addresses()))


@pytest.fixture
def elsewhere(cast: Cast) -> Client:
    """A browser that is logged in, and in which another site's page sends forms."""
    User.objects.filter(pk=cast.alice.pk).update(is_staff=True)
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.get(pk=cast.alice.pk))
    return client


def test_every_list_is_among_them():
    for model in site._registry:
        assert f"/admin/{model._meta.app_label}/{model._meta.model_name}/" in ADDRESSES
    assert len(ADDRESSES) > 40


@pytest.mark.parametrize("path", ADDRESSES)
def test_a_form_from_elsewhere_is_refused(elsewhere: Client, path: str):
    before = state()
    answer = elsewhere.post(path, {"_form_submitted": "True", "action": "delete_selected", "post": "yes"})
    assert answer.status_code == 403, (path, answer.status_code)
    assert state() == before


@pytest.mark.parametrize("path", ADDRESSES)
def test_a_member_without_the_right_sees_nothing(cast: Cast, path: str):
    client = Client()
    client.force_login(cast.bob)
    answer = client.get(path)
    if path in ("/admin/login/", "/admin/jsi18n/"):
        return  # the form itself, and words of scripts
    assert answer.status_code in (302, 403, 404, 405), (path, answer.status_code)
    if answer.status_code == 302:
        assert answer["Location"].split("?")[0] in ("/admin/login/", "/admin/logout/", "/admin/"), answer["Location"]
