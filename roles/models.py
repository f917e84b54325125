"""Roles: named groups of an organization's members."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower

from core6.accounts.ids import uuid7
from core6.database import timestamps


class Role(models.Model):
    """A named group of members; one may be the default role of the organization."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE, related_name="roles")
    name = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timestamps.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    #: Whether it is the default role of the organization; annotated by the viewset, and false for a new one.
    is_default = False

    class Meta:
        indexes: ClassVar = [models.Index(fields=["organization", "created_at", "id"], name="role_of_an_organization")]
        constraints: ClassVar = [
            # Enforced only here, since two concurrent requests could both find the name unused.
            models.UniqueConstraint(
                "organization",
                Lower("name"),
                name="role_name_once_per_organization",
                violation_error_message="There is already a role with this name.",
            )
        ]

    def __str__(self) -> str:
        return self.name


class RoleMembership(models.Model):
    """The membership of a member in a role; it ends with the membership in the organization."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    role = models.ForeignKey(Role, on_delete=models.CASCADE, related_name="members")
    organization_member = models.ForeignKey("accounts.Membership", on_delete=models.CASCADE, related_name="+")
    joined_at = models.DateTimeField(default=timestamps.now, editable=False)
    updated_at = timestamps.ChangedAtField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["role", "organization_member"],
                name="role_membership_once_per_role",
                violation_error_code="invalid_input",
                violation_error_message="User is already part of the role.",
            )
        ]

    def __str__(self) -> str:
        return str(self.organization_member)
