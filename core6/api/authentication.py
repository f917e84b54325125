"""Authentication by the personal API key in the header, query or body of a request (A.2, D51, D52, D76)."""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.db import DatabaseError
from django.http import HttpRequest
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from core6.accounts import keys
from core6.accounts.models import PersonalAPIKey, User
from core6.api import access
from core6.api.parsers import LARGEST_WITH_KEY, UNREADABLE
from core6.database import timestamps

BEARER = re.compile(r"Bearer\s+(\S.+)")
#: `last_used_at` is written at most this often.
USE_RECORDED_EVERY = timedelta(hours=1)


def record_use(api_key: str) -> None:
    """Record that a key, by its id, is used now."""
    PersonalAPIKey.objects.filter(pk=api_key).update(last_used_at=timestamps.now())


def caller_of(request: HttpRequest) -> tuple[int | None, str | None]:
    """Return the id of the user and the mask of the key of a processed request; None without a valid key."""
    found: access.Access | None = getattr(request, "auth", None)
    if found:
        return found.key.user_id, found.key.mask_value
    # The user of the console, if its pages have read the session: other requests must not cost a query for that.
    session = getattr(request, "session", None)
    user = None
    if session is not None and session.accessed:
        with suppress(DatabaseError):
            user = request.user.pk
    return user, None


class PersonalAPIKeyAuthentication(BaseAuthentication):
    """Sets `request.user` to the key's owner and `request.auth` to the Access, which core6.api.permissions checks.

    The first place that holds a key decides; a bad key is 401. Unknown keys, deleted keys and keys of inactive users
    take the same code path to the same response.
    """

    def authenticate(self, request: Request) -> tuple[User, access.Access] | None:
        found = find_key(request)
        if found is None:
            return None
        text, place = found
        facts = access.find(keys.digest(text), **_tenant(request))
        if facts is None:
            raise AuthenticationFailed(f"Personal API key found in request {place} is invalid.")
        used_at = facts.key.last_used_at
        if used_at is None or used_at < timestamps.now() - USE_RECORDED_EVERY:
            record_use(facts.key.pk)
        return facts.key.user, facts

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def find_key(request: Request) -> tuple[str, str] | None:
    """Return the text of the key that a request sends, and where it is; None without one."""
    header = BEARER.fullmatch(request.META.get("HTTP_AUTHORIZATION", "").strip())
    if header:
        return header[1], "Authorization header"
    in_query = request.query_params.get("personal_api_key")
    if in_query:
        return in_query.strip(), "query string"
    in_body = _key_in_body(request)
    return (in_body.strip(), "body") if in_body else None


def _tenant(request: Request) -> dict[str, str]:
    """Return the path segment of the organization or the project, as keyword argument of access.find."""
    context: Any = request.parser_context
    kwarg = context["view"].tenant_url_kwarg()
    if kwarg is None:
        return {}
    return {"organization" if kwarg == "organization_id" else "project": context["kwargs"].get(kwarg, "")}


def _key_in_body(request: Request) -> str | None:
    """Return the key in a small body; None if the body has no key or is invalid (D76)."""
    if not 0 < int(request.META.get("CONTENT_LENGTH") or 0) <= LARGEST_WITH_KEY:
        return None
    try:
        _ = request._request.body  # read first, so that its bytes stay available after parsing
        body: Any = request.data
    except UNREADABLE:
        return None
    key = body.get("personal_api_key") if isinstance(body, Mapping) else None
    return key if isinstance(key, str) else None


class PersonalAPIKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # untyped in the library
    """The description of the key in the OpenAPI schema."""

    target_class = "core6.api.authentication.PersonalAPIKeyAuthentication"
    name = "PersonalAPIKeyAuth"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A personal API key (`phx_…`) with the scope that the operation requires.",
        }
