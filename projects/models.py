"""A project: the tenant's part that annotations and cohorts live in."""

from django.db import models
from django.utils.timezone import now

from core6.accounts import keys
from core6.accounts.ids import uuid7
from core6.accounts.models import Organization


def api_token() -> str:
    """Return a new project token: `phc_` and base62 text of 256 random bits."""
    return keys.token("phc_", 256)


class Project(models.Model):
    """A project of an organization."""

    uuid = models.UUIDField(default=uuid7, unique=True, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="projects")
    name = models.CharField(max_length=200, default="Default project")
    api_token = models.CharField(max_length=200, unique=True, default=api_token)
    timezone = models.CharField(max_length=240, default="UTC")
    created_at = models.DateTimeField(default=now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.name
