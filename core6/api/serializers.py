"""Base classes of serializers and serializers of several resources."""

import copy
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from django.db import models
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty

from core6.accounts.models import Membership, User
from core6.api.number_fields import PLAIN, PrimaryKeyRelatedField
from core6.api.parsers import check_depth
from core6.api.renderers import JSONRenderer
from core6.database.rows import Companion, insert, update
from core6.database.timestamps import with_timestamps
from core6.terminal.sizes import limit

M = TypeVar("M", bound=models.Model)
# An escaped NUL, not an escaped backslash before "u0000".
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_FIELDS: dict[type[Any], dict[str, serializers.Field[Any, Any, Any, Any]]] = {}
_HEDGEHOG_KEYS = ("use_as_profile", "color", "accessories", "skin")


class BooleanField(serializers.BooleanField):
    """A boolean that is absent if a form does not send it; REST framework would assume false (D47)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.default_empty_html = empty


class JSONField(serializers.JSONField):
    """Any JSON that the database can store."""

    def to_internal_value(self, data: Any) -> Any:
        try:
            value = super().to_internal_value(data)
            check_depth({"": value})  # with the depth that it has in a body
        except (RecursionError, ValueError) as error:
            raise serializers.ValidationError("Value must be valid JSON.") from error
        if value is None and not self.allow_null:
            self.fail("null")
        try:
            text = json.dumps(value, allow_nan=False)
        except ValueError as error:
            raise serializers.ValidationError("Value must be valid JSON.") from error
        if _NUL.search(text):
            raise serializers.ValidationError("Null characters are not allowed.", code="null_characters_not_allowed")
        return value


class ModelSerializer(serializers.ModelSerializer[M]):
    """Saves only the fields that were sent, so that concurrent writers of different fields lose nothing."""

    #: Returns a second row to be stored in the same statement.
    companion: Callable[[M], Companion] | None = None
    #: The maximum size of fields in bytes of JSON, by their names (D70).
    largest: ClassVar[Mapping[str, int]] = {}
    serializer_field_mapping: ClassVar = {
        **{
            column: PLAIN.get(field, field)
            for column, field in serializers.ModelSerializer.serializer_field_mapping.items()
        },
        models.BooleanField: BooleanField,
        models.JSONField: JSONField,
    }
    serializer_related_field = PrimaryKeyRelatedField

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Return copies of the fields, which are built only once for each class."""
        if type(self) not in _FIELDS:
            _FIELDS[type(self)] = super().get_fields()
        return {name: _copied(field) for name, field in _FIELDS[type(self)].items()}

    def to_internal_value(self, data: Any) -> Any:
        """Refuse values that are too large for their fields, before they are processed."""
        if isinstance(data, Mapping):
            for name, most in self.largest.items():
                if name in data and _size(data[name]) > most:
                    raise serializers.ValidationError({name: [_too_large(most)]}, code="max_length")
        return super().to_internal_value(data)

    def create(self, validated_data: dict[str, Any]) -> M:
        model: Any = self.Meta.model
        instance: M = model(**validated_data)
        insert(instance, self._companion_of(instance))
        return instance

    def update(self, instance: M, validated_data: dict[str, Any]) -> M:
        for name, value in validated_data.items():
            setattr(instance, name, value)
        update(instance, with_timestamps(instance, validated_data), self._companion_of(instance))
        return instance

    def _companion_of(self, instance: M) -> Companion | None:
        made = self.companion and self.companion(instance)
        self.companion = None
        return made


def _size(value: Any) -> int:
    """Return the size of a value in bytes of JSON; a form sends JSON as text."""
    if isinstance(value, str):
        return len(value)
    return len(JSONRenderer().render(value)) if isinstance(value, list | dict) else 0


def _too_large(most: int) -> str:
    return f"This field takes at most {limit(most)} of JSON: send less."


def _copied(field: serializers.Field[Any, Any, Any, Any]) -> serializers.Field[Any, Any, Any, Any]:
    """Return an unbound copy of a field; only fields with child fields need an expensive deep copy."""
    if hasattr(field, "child") or hasattr(field, "child_relation"):
        return copy.deepcopy(field)
    copied = type(field).__new__(type(field))
    vars(copied).update(vars(field))  # copy.copy takes five times longer
    return copied


@extend_schema_field({"type": "object", "additionalProperties": {}, "nullable": True})
class HedgehogField(JSONField):
    """The user's settings of the hedgehog; other stored keys are not shown."""

    def to_representation(self, value: Any) -> Any:
        return {key: value.get(key) for key in _HEDGEHOG_KEYS} if isinstance(value, dict) and value else None


class UserBasicSerializer(ModelSerializer[User]):
    """A user, as shown in other objects."""

    hedgehog_config = HedgehogField(
        read_only=True, allow_null=True, help_text="Settings of the user's hedgehog avatar. Null if there are none."
    )

    class Meta:
        model = User
        fields = (
            "id",
            "uuid",
            "distinct_id",
            "first_name",
            "last_name",
            "email",
            "is_email_verified",
            "hedgehog_config",
            "role_at_organization",
        )
        read_only_fields = fields
        extra_kwargs: ClassVar = {
            "id": {"help_text": "ID of the user."},
            "uuid": {"help_text": "UUID of the user."},
            "distinct_id": {"help_text": "Distinct ID of the user's own events. Null if there is none."},
            "first_name": {"help_text": "First name of the user. May be empty."},
            "last_name": {"help_text": "Last name of the user. May be empty."},
            "email": {"help_text": "Email address of the user."},
            "is_email_verified": {"help_text": "Whether the email address is verified. Null if unknown."},
            "role_at_organization": {"help_text": "The kind of work that the user does. Null if unknown."},
        }


class OrganizationMemberSerializer(serializers.ModelSerializer[Membership]):
    """A member of an organization."""

    user = UserBasicSerializer(read_only=True, help_text="The user who is the member.")
    is_2fa_enabled = serializers.BooleanField(
        read_only=True, help_text="Always false: two-factor authentication is not supported."
    )
    has_social_auth = serializers.BooleanField(read_only=True, help_text="Always false: social login is not supported.")
    last_login = serializers.DateTimeField(
        source="user.last_login",
        read_only=True,
        allow_null=True,
        help_text="When the user last logged in. Null if never.",
    )

    class Meta:
        model = Membership
        fields = (
            "id",
            "user",
            "level",
            "joined_at",
            "updated_at",
            "is_2fa_enabled",
            "has_social_auth",
            "last_login",
        )
        read_only_fields = fields
        extra_kwargs: ClassVar = {
            "id": {"help_text": "ID of the organization membership."},
            "level": {"help_text": "Access level of the member: 1 member, 8 administrator, 15 owner."},
            "joined_at": {"help_text": "When the user joined the organization."},
            "updated_at": {"help_text": "When the organization membership was last changed."},
        }
