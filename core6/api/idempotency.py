"""Idempotent POST: a repeated request with the same `Idempotency-Key` gets the first response again, for a day.

The response is stored in the transaction of the write, so that both exist or neither. Errors are not stored, so that
the request can be corrected and sent again. The response belongs to the organization and the project of the request:
for a URL with `@current`, a repeated request may be about others (D74).
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final, cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from core6.accounts.models import PersonalAPIKey
from core6.api.exceptions import Conflict, IdempotencyKeyReused
from core6.api.renderers import JSONRenderer
from core6.database import locks
from core6.idempotency.models import LONGEST, Answer

#: The header of a repeated response.
REPLAYED: Final = "Idempotency-Replayed"

_TOO_MANY: Final = """
DELETE FROM idempotency_answer WHERE id IN (
  SELECT id FROM (
    SELECT id, sum(octet_length(body)) OVER (PARTITION BY organization_id ORDER BY created_at DESC, id DESC) AS bytes
    FROM idempotency_answer) added
  WHERE bytes > %s)"""


def idempotent(handler: Callable[..., HttpResponseBase], tenant: Mapping[str, Any]) -> Callable[..., HttpResponseBase]:
    """Return a handler of a POST with an `Idempotency-Key`, which runs `handler` only for the first such request.

    `tenant` has the ids of the organization and the project of the request. The returned handler raises
    ValidationError (400) for an invalid key, IdempotencyKeyReused (422) if the key was used for another request, and
    Conflict (409) while the first request is being processed.
    """

    def handle(request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        name = request.META["HTTP_IDEMPOTENCY_KEY"].strip()
        if not 0 < len(name) <= LONGEST or not (name.isascii() and name.isprintable()):
            detail = f"Send an Idempotency-Key of 1 to {LONGEST} printable ASCII characters."
            raise ValidationError(detail, code="invalid_input")
        api_key = request.auth.key
        fingerprint = _fingerprint(request, tenant)
        with transaction.atomic():
            _claim(api_key, name)
            stored = Answer.objects.filter(api_key=api_key, idempotency_key=name).defer("body").first()
            if stored and stored.created_at > oldest():
                if stored.fingerprint != fingerprint:
                    raise IdempotencyKeyReused
                extra = {"content_type": JSONRenderer.media_type, "headers": {REPLAYED: "true"}}
                return HttpResponse(_body(stored), status=stored.status, **extra)
            response: Any = handler(request, *args, **kwargs)
            if response.status_code < 400:
                body = JSONRenderer().render(response.data).decode()
                fields = {"fingerprint": fingerprint, "status": response.status_code, "body": body}
                fields["organization_id"] = tenant.get("organization")
                Answer.objects.update_or_create(
                    api_key=api_key, idempotency_key=name, defaults={**fields, "created_at": timezone.now()}
                )
            return cast("HttpResponseBase", response)

    return handle


def oldest() -> datetime:
    """Return the earliest time of responses that are still repeated."""
    return timezone.now() - timedelta(hours=settings.IDEMPOTENCY_HOURS)


def forget_old() -> None:
    """Delete responses that are too old, and the oldest of each organization beyond IDEMPOTENCY_MB."""
    Answer.objects.filter(created_at__lt=oldest()).delete()
    with connection.cursor() as cursor:
        cursor.execute(_TOO_MANY, [settings.IDEMPOTENCY_MB * 1024**2])


def _body(stored: Answer) -> str:
    """Return the stored body; raises IdempotencyKeyReused if no key can decrypt it any more.

    The first request was executed, and the key must prevent that it is executed twice, so the repeated one is refused.
    """
    try:
        return str(stored.body)
    except ImproperlyConfigured as error:
        raise IdempotencyKeyReused(
            "The request with this Idempotency-Key was done, but its answer cannot be read any more:"
            " look at what is there before you send it with a new one."
        ) from error


def _claim(api_key: PersonalAPIKey, name: str) -> None:
    """Lock the key until the end of the transaction; raises Conflict if another request holds the lock."""
    if not locks.IDEMPOTENCY.try_acquire(f"{api_key.pk} {name}"):
        raise Conflict("A request with this Idempotency-Key is being answered: send it again a little later.")


def _fingerprint(request: Request, tenant: Mapping[str, Any]) -> str:
    ids = " ".join(f"{name}={key}" for name, key in sorted(tenant.items()))
    # The raw body: two different ones could be equal when parsed.
    return sha256(b"\0".join([ids.encode(), request.get_full_path().encode(), request._request.body])).hexdigest()
