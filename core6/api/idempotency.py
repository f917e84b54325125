"""POST that happens once: with an `Idempotency-Key`, a repeated request gets the answer of the first for a day.

The answer is stored in the transaction of the write: neither is there without the other. What was refused is not
stored, so that the request can be put right and sent again. The answer belongs to the organization and the project that
the request was about: at the address of `@current`, a repeated request may be about others (D74).
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

#: The header of an answer that was given before.
REPLAYED: Final = "Idempotency-Replayed"

_TOO_MANY: Final = """
DELETE FROM idempotency_answer WHERE id IN (
  SELECT id FROM (
    SELECT id, sum(octet_length(body)) OVER (PARTITION BY organization_id ORDER BY created_at DESC, id DESC) AS bytes
    FROM idempotency_answer) added
  WHERE bytes > %s)"""


def once(handler: Callable[..., HttpResponseBase], tenant: Mapping[str, Any]) -> Callable[..., HttpResponseBase]:
    """Return the handler of a POST with an `Idempotency-Key`, which runs `handler` for the first of its kind alone.

    `tenant` has the ids of the organization and the project that the request is about. The returned handler raises
    ValidationError (400) for a key that is none, IdempotencyKeyReused (422) when the key came with another request,
    Conflict (409) while the first is being answered.
    """

    def answer(request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        name = request.META["HTTP_IDEMPOTENCY_KEY"].strip()
        if not 0 < len(name) <= LONGEST or not (name.isascii() and name.isprintable()):
            detail = f"Send an Idempotency-Key of 1 to {LONGEST} printable ASCII characters."
            raise ValidationError(detail, code="invalid_input")
        api_key = request.auth.key
        fingerprint = _fingerprint(request, tenant)
        with transaction.atomic():
            _claim(api_key, name)
            kept = Answer.objects.filter(api_key=api_key, idempotency_key=name).defer("body").first()
            if kept and kept.created_at > oldest():
                if kept.fingerprint != fingerprint:
                    raise IdempotencyKeyReused
                told = {"content_type": JSONRenderer.media_type, "headers": {REPLAYED: "true"}}
                return HttpResponse(_body(kept), status=kept.status, **told)
            response: Any = handler(request, *args, **kwargs)
            if response.status_code < 400:
                body = JSONRenderer().render(response.data).decode()
                fields = {"fingerprint": fingerprint, "status": response.status_code, "body": body}
                fields["organization_id"] = tenant.get("organization")
                Answer.objects.update_or_create(
                    api_key=api_key, idempotency_key=name, defaults={**fields, "created_at": timezone.now()}
                )
            return cast("HttpResponseBase", response)

    return answer


def oldest() -> datetime:
    """Return when the oldest answers were given that are repeated."""
    return timezone.now() - timedelta(hours=settings.IDEMPOTENCY_HOURS)


def forget_old() -> None:
    """Delete the answers that are too old, and of each organization the oldest beyond IDEMPOTENCY_MB."""
    Answer.objects.filter(created_at__lt=oldest()).delete()
    with connection.cursor() as cursor:
        cursor.execute(_TOO_MANY, [settings.IDEMPOTENCY_MB * 1024**2])


def _body(kept: Answer) -> str:
    """Return the body that was answered; raises IdempotencyKeyReused where no key decrypts it any more.

    The first request did what it asked for. To do it again is what its key is to prevent, so it is refused.
    """
    try:
        return str(kept.body)
    except ImproperlyConfigured as error:
        raise IdempotencyKeyReused(
            "The request with this Idempotency-Key was done, but its answer cannot be read any more:"
            " look at what is there before you send it with a new one."
        ) from error


def _claim(api_key: PersonalAPIKey, name: str) -> None:
    """Keep others with the same key away until the end of the transaction."""
    if not locks.IDEMPOTENCY.try_acquire(f"{api_key.pk} {name}"):
        raise Conflict("A request with this Idempotency-Key is being answered: send it again a little later.")


def _fingerprint(request: Request, tenant: Mapping[str, Any]) -> str:
    ids = " ".join(f"{name}={key}" for name, key in sorted(tenant.items()))
    # The body itself: parsed, two different ones could look the same.
    return sha256(b"\0".join([ids.encode(), request.get_full_path().encode(), request._request.body])).hexdigest()
