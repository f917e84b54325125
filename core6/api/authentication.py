"""Who is calling: the personal API key of a request, found in its header, query or body (A.2, D51, D52, D76)."""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.db import DatabaseError
from django.http import HttpRequest
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from core6.accounts import keys
from core6.accounts.models import PersonalAPIKey, User
from core6.api import access
from core6.api.parsers import LARGEST_WITH_KEY, UNREADABLE

BEARER = re.compile(r"Bearer\s+(\S.+)")
#: `last_used_at` is written at most this often.
USE_NOTED_EVERY = timedelta(hours=1)


def note_use(api_key: str) -> None:
    """Note that a key, by its id, is used now."""
    PersonalAPIKey.objects.filter(pk=api_key).update(last_used_at=timezone.now())


def caller_of(request: HttpRequest) -> tuple[int | None, str | None]:
    """Return the user's id, and the mask of the key, by which a request was answered; None without a valid key."""
    found: access.Access | None = getattr(request, "auth", None)
    if found:
        return found.key.user_id, found.key.mask_value
    # Who uses the console, where its pages have read the session: no other request takes a query for that.
    session = getattr(request, "session", None)
    user = None
    if session is not None and session.accessed:
        with suppress(DatabaseError):
            user = request.user.pk
    return user, None


class PersonalAPIKeyAuthentication(BaseAuthentication):
    """Sets `request.user` to the key's owner and `request.auth` to the Access; core6.api.permissions judges that.

    The first place that holds a key decides; a bad key is 401 there. Unknown, deleted and inactive users' keys
    take the same way to the same answer.
    """

    def authenticate(self, request: Request) -> tuple[User, access.Access] | None:
        named = self._find(request)
        if named is None:
            return None
        text, place = named
        found = access.find(keys.digest(text), **_tenant(request))
        if found is None:
            raise AuthenticationFailed(f"Personal API key found in request {place} is invalid.")
        used_at = found.key.last_used_at
        if used_at is None or used_at < timezone.now() - USE_NOTED_EVERY:
            note_use(found.key.pk)
        return found.key.user, found

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"

    def _find(self, request: Request) -> tuple[str, str] | None:
        header = BEARER.fullmatch(request.META.get("HTTP_AUTHORIZATION", "").strip())
        if header:
            return header[1], "Authorization header"
        in_query = request.query_params.get("personal_api_key")
        if in_query:
            return in_query.strip(), "query string"
        in_body = _key_in_body(request)
        return (in_body.strip(), "body") if in_body else None


def _tenant(request: Request) -> dict[str, str]:
    """Return the segment of the path that names the organization or the project, by which of them it is."""
    context: Any = request.parser_context
    place = context["view"].tenant_place()
    if place is None:
        return {}
    return {"organization" if place == "organization_id" else "project": context["kwargs"].get(place, "")}


def _key_in_body(request: Request) -> str | None:
    """Return what a small body names as the key; a body that cannot be read names none (D76)."""
    if not 0 < int(request.META.get("CONTENT_LENGTH") or 0) <= LARGEST_WITH_KEY:
        return None
    try:
        _ = request._request.body  # read first, so that its bytes stay available after parsing
        body: Any = request.data
    except UNREADABLE:
        return None
    named = body.get("personal_api_key") if isinstance(body, Mapping) else None
    return named if isinstance(named, str) else None


class PersonalAPIKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # untyped in the library
    """How a schema describes the key."""

    target_class = "core6.api.authentication.PersonalAPIKeyAuthentication"
    name = "PersonalAPIKeyAuth"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A personal API key (`phx_…`) with the scope that the operation requires.",
        }
