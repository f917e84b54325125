"""Roles with their members in the console."""

from typing import Any, ClassVar

from django.db.models import Count, Model, QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from core6.accounts.models import Membership
from core6.console.organizations import object_of
from core6.console.site import AddedInline, ConsoleAdmin, ShownInline
from core6.console.times import when
from roles.models import Role, RoleMembership


class MembersInline(ShownInline):
    """The members of a role."""

    model = RoleMembership
    fields = ("user", "joined_at")
    readonly_fields = ("user", "joined_at")
    verbose_name_plural = "Members"

    def get_queryset(self, request: HttpRequest) -> QuerySet[RoleMembership]:
        return super().get_queryset(request).select_related("organization_member__user").order_by("joined_at", "pk")

    @display(description="User")
    def user(self, membership: RoleMembership) -> str:
        return str(membership.organization_member.user)


class NewMembersInline(AddedInline):
    """New members of a role: active members of its organization."""

    model = RoleMembership
    fields = ("organization_member",)
    verbose_name_plural = "Add members"

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        key = object_of(request)
        role = Role.objects.filter(pk=key) if key else Role.objects.none()
        members = Membership.objects.filter(organization__in=role.values("organization"), user__is_active=True)
        kwargs["queryset"] = (
            members.exclude(pk__in=RoleMembership.objects.filter(role__in=role).values("organization_member"))
            .select_related("user")
            .order_by("user__email")
        )
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class RoleAdmin(ConsoleAdmin):
    """Roles with their members."""

    activity_scope = "Role"
    inline_scopes: ClassVar = {"rolemembership": "RoleMembership"}
    list_display = ("name", "organization", "members", "created_by", "created")
    created = when("created_at", "Created")
    list_filter = ("created_at",)
    list_select_related = ("organization", "created_by")
    search_fields = ("name", "organization__name", "id")
    ordering = ("organization__name", "name")
    autocomplete_fields = ("organization",)
    fields: ClassVar[Any] = ("organization", "name", "id", "created_by", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Role]:
        return super().get_queryset(request).annotate(members_count=Count("members"))

    def get_fields(self, request: HttpRequest, obj: Role | None = None) -> Any:
        return self.fields if obj else ("organization", "name")

    def get_readonly_fields(self, request: HttpRequest, obj: Role | None = None) -> Any:
        return ("organization", "id", "created_by", "created_at") if obj else ()

    def get_inlines(self, request: HttpRequest, obj: Role | None = None) -> Any:
        return (MembersInline, NewMembersInline) if obj else ()

    def owner_of(self, obj: Any) -> tuple[Any, int | None]:
        role = obj.role if isinstance(obj, RoleMembership) else obj
        return role.organization_id, None

    def name_of(self, obj: Any) -> str:
        if isinstance(obj, RoleMembership):
            return f"{obj.role.name}: {obj.organization_member.user}"
        return str(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return True

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        if not change:
            obj.created_by = request.user
        super().save_model(request, obj, form, change)

    @display(description="Members", ordering="members_count")
    def members(self, role: Any) -> int:
        count: int = role.members_count
        return count
