"""Responses to requests with an `Idempotency-Key`, which repeated requests get again."""

from typing import ClassVar

from django.db import models
from django.utils import timezone

from core6.accounts.models import Organization, PersonalAPIKey
from core6.security.encryption import EncryptedField

#: The longest `Idempotency-Key`, in characters.
LONGEST = 255


class Answer(models.Model):
    """The response to the first request with an `Idempotency-Key` of a personal API key; it may contain secrets."""

    api_key = models.ForeignKey(PersonalAPIKey, on_delete=models.CASCADE, related_name="+")
    #: The organization of the request; null in rows of earlier releases.
    organization = models.ForeignKey(Organization, null=True, on_delete=models.CASCADE, related_name="+")
    idempotency_key = models.CharField(max_length=LONGEST)
    #: A hash of organization, project, URL and body: another request with the same key is an error.
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    body = EncryptedField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["api_key", "idempotency_key"], name="one_answer_per_idempotency_key")
        ]
        indexes: ClassVar = [models.Index(fields=["created_at"], name="answers_by_age")]
