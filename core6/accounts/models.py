"""Users, organizations, memberships and personal API keys."""

from typing import ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower

from core6.accounts import keys
from core6.accounts.ids import uuid7
from core6.database import timestamps


def distinct_id() -> str:
    """Return a random distinct_id of a user: base62 text of 256 bits."""
    return keys.token("", 256)


def key_id() -> str:
    """Return a random id of a personal API key: base62 text of 128 bits."""
    return keys.token("", 128)


class Organization(models.Model):
    """A tenant with members and projects."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timestamps.now, editable=False)
    default_role = models.ForeignKey("roles.Role", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    def __str__(self) -> str:
        return self.name


class UserManager(BaseUserManager["User"]):
    """Finds users by their email, ignoring case."""

    def get_by_natural_key(self, username: str | None) -> "User":
        """Return the user with this email; raises User.DoesNotExist."""
        return self.get(email__iexact=username)


class User(AbstractBaseUser):
    """A user with the nine fields of UserBasic and the current organization and project."""

    class RoleAtOrganization(models.TextChoices):
        ENGINEERING = "engineering"
        DATA = "data"
        PRODUCT = "product"
        FOUNDER = "founder"
        LEADERSHIP = "leadership"
        MARKETING = "marketing"
        SALES = "sales"
        OTHER = "other"

    uuid = models.UUIDField(default=uuid7, unique=True, editable=False)
    distinct_id = models.CharField(max_length=200, null=True, blank=True, unique=True, default=distinct_id)
    first_name = models.CharField(max_length=150, blank=True)
    last_name = models.CharField(max_length=150, blank=True)
    email = models.EmailField(max_length=254)
    is_email_verified = models.BooleanField(null=True, blank=True)
    hedgehog_config = models.JSONField(null=True, blank=True)
    role_at_organization = models.CharField(max_length=64, choices=RoleAtOrganization, null=True, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False, help_text="May use the admin console.")
    created_at = models.DateTimeField(default=timestamps.now, editable=False)
    # The targets of `@current` in a path.
    current_organization = models.ForeignKey(
        Organization, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    current_project = models.ForeignKey(
        "projects.Project", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    objects: ClassVar[UserManager] = UserManager()
    USERNAME_FIELD = "email"

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                Lower("email"),
                name="user_email_unique_whatever_case",
                violation_error_message="There is already a user with this email.",
            )
        ]

    def get_full_name(self) -> str:
        """Return first and last name; empty if unknown."""
        return f"{self.first_name} {self.last_name}".strip()

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """Return whether the user has a permission in the console: staff has all of them."""
        return self.is_active and self.is_staff

    def has_module_perms(self, app_label: str) -> bool:
        """Return whether the user may see a part of the console."""
        return self.is_active and self.is_staff


class Level(models.IntegerChoices):
    """The access levels of members: administrator from 8, owner at 15."""

    MEMBER = 1
    ADMIN = 8
    OWNER = 15


class Membership(models.Model):
    """The membership of a user in an organization."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    level = models.PositiveSmallIntegerField(choices=Level, default=Level.MEMBER)
    joined_at = models.DateTimeField(default=timestamps.now, editable=False)
    updated_at = timestamps.ChangedAtField()
    #: Two-factor authentication and social login are not supported.
    is_2fa_enabled = False
    has_social_auth = False

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization", "user"],
                name="membership_once_per_organization",
                violation_error_message="This user is already a member of the organization.",
            ),
            models.CheckConstraint(condition=models.Q(level__in=Level.values), name="membership_level_known"),
        ]

    def __str__(self) -> str:
        return str(self.user)


class PersonalAPIKey(models.Model):
    """A key of a user; only its digest (D51) and its mask are stored."""

    id = models.CharField(primary_key=True, max_length=50, default=key_id, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="personal_api_keys")
    label = models.CharField(max_length=40)
    secure_value = models.CharField(max_length=300, unique=True, editable=False)
    mask_value = models.CharField(max_length=11, editable=False)
    # Empty or null: the key may do nothing (D15, D72).
    scopes = ArrayField(models.CharField(max_length=100), null=True, blank=True)
    # Empty or null: no restriction.
    scoped_organizations = ArrayField(models.UUIDField(), null=True, blank=True)
    scoped_teams = ArrayField(models.BigIntegerField(), null=True, blank=True)
    created_at = models.DateTimeField(default=timestamps.now, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "personal API key"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user", "label"],
                name="personal_api_key_label_once_per_user",
                violation_error_message="This user has a key with this label already: choose another label.",
            )
        ]

    def __str__(self) -> str:
        return self.label
