"""What was answered to requests that carried an `Idempotency-Key`, so that a repeated one gets the same answer."""

from typing import ClassVar

from django.db import models
from django.utils import timezone

from core6.accounts.models import Organization, PersonalAPIKey
from core6.security.encryption import EncryptedField

#: The longest `Idempotency-Key`, in characters.
LONGEST = 255


class Answer(models.Model):
    """The answer to the first request of a personal API key with an `Idempotency-Key`; it may hold secrets."""

    api_key = models.ForeignKey(PersonalAPIKey, on_delete=models.CASCADE, related_name="+")
    #: That of the request; an answer of an earlier release has none.
    organization = models.ForeignKey(Organization, null=True, on_delete=models.CASCADE, related_name="+")
    idempotency_key = models.CharField(max_length=LONGEST)
    #: Of the organization, the project, the address and the body: another request with the same key is a mistake.
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    body = EncryptedField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["api_key", "idempotency_key"], name="one_answer_per_idempotency_key")
        ]
        indexes: ClassVar = [models.Index(fields=["created_at"], name="answers_by_age")]
