"""Users, and organizations with their members, in the console."""

from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, PaginationInlineFormSet, UserChangeForm, UserCreationForm

from core6.accounts.models import Level, Membership, Organization, User
from core6.api.ids import parse_uuid
from core6.console.site import AddedInline, ConsoleAdmin, ReadOnlyInline, ShownInline
from core6.console.times import when
from projects.models import Project
from roles.models import Role


class MembershipsOfUser(ReadOnlyInline):
    """The organizations of a user."""

    model = Membership
    fields = ("organization", "level", "joined_at")
    readonly_fields = fields
    verbose_name_plural = "Organizations"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).select_related("organization").order_by("joined_at", "pk")


class NewUserForm(UserCreationForm):
    """A new user, with or without a password."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        field = self.fields["usable_password"]
        field.label, field.help_text = "Login by password", "Users of the API alone need none: they have keys."


class UserAdmin(ConsoleAdmin, DjangoUserAdmin):
    """Users. They are deactivated rather than deleted, since objects refer to their creators."""

    activity_scope = "User"
    form = UserChangeForm
    add_form = NewUserForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("email", "first_name", "last_name", "is_active", "is_staff", "created", "logged_in")
    list_filter = ("is_active", "is_staff", "is_email_verified", "role_at_organization")
    created = when("created_at", "Created")
    logged_in = when("last_login", "Last login")
    search_fields = ("email", "first_name", "last_name", "uuid", "distinct_id")
    ordering = ("email",)
    filter_horizontal = ()
    inlines = (MembershipsOfUser,)
    readonly_fields = ("uuid", "distinct_id", "created_at", "last_login")
    fieldsets = (
        (None, {"fields": ("email", "password", "first_name", "last_name", "role_at_organization")}),
        ("Permissions", {"fields": ("is_active", "is_staff", "is_email_verified")}),
        ("Identifiers", {"fields": ("uuid", "distinct_id", "created_at", "last_login")}),
    )
    add_fieldsets = (
        (
            None,
            {"fields": ("email", "first_name", "last_name", "is_staff", "usable_password", "password1", "password2")},
        ),
    )

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Log a changed password, which has a form of its own."""
        if request.resolver_match and request.resolver_match.url_name == "auth_user_password_change":
            self.log(request, obj, "password_changed")

    def get_inlines(self, request: HttpRequest, obj: User | None = None) -> Any:
        return self.inlines if obj else ()


class MembersFormSet(PaginationInlineFormSet):
    """The members of an organization; at least one owner must remain."""

    def clean(self) -> None:
        super().clean()
        is_new = self.instance._state.adding
        if not (is_new or self.initial_forms):
            return  # added members remove no owner
        kept = [form.cleaned_data for form in self.forms if not self._should_delete_form(form)]
        if any(data.get("level") == Level.OWNER for data in kept):
            return
        shown = [form.instance.pk for form in self.initial_forms]
        others = Membership.objects.filter(organization=self.instance.pk, level=Level.OWNER).exclude(pk__in=shown)
        if is_new or not others.exists():
            raise forms.ValidationError("An organization needs an owner: make a member the owner first.")


class MembersInline(ShownInline):
    """The members of an organization."""

    model = Membership
    formset = MembersFormSet
    fields = ("user", "level", "joined_at")
    readonly_fields = ("user", "joined_at")
    verbose_name_plural = "Members"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).select_related("user").order_by("joined_at", "pk")


class NewMembersInline(AddedInline):
    """New members of an organization."""

    model = Membership
    formset = MembersFormSet
    fields = ("user", "level")
    autocomplete_fields = ("user",)
    verbose_name_plural = "Add members"


class OrganizationAdmin(ConsoleAdmin):
    """Organizations with their members."""

    activity_scope = "Organization"
    inline_scopes: ClassVar = {"membership": "OrganizationMembership"}
    list_display = ("name", "members", "projects", "created", "id")
    created = when("created_at", "Created")
    list_filter = ("created_at",)
    search_fields = ("name", "id")
    ordering = ("name", "id")
    fields: ClassVar[Any] = ("name", "default_role", "id", "created_at")
    readonly_fields = ("id", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Organization]:
        rows = super().get_queryset(request)
        return rows.annotate(memberships_count=_count(Membership), projects_count=_count(Project))

    def get_inlines(self, request: HttpRequest, obj: Organization | None = None) -> Any:
        return (MembersInline, NewMembersInline) if obj else (NewMembersInline,)

    def owner_of(self, obj: Any) -> tuple[Any, int | None]:
        return (obj.organization_id if isinstance(obj, Membership) else obj.pk), None

    def name_of(self, obj: Any) -> str:
        return f"{obj.organization}: {obj.user}" if isinstance(obj, Membership) else str(obj)

    def get_fields(self, request: HttpRequest, obj: Organization | None = None) -> Any:
        return self.fields if obj else ("name",)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "default_role":
            kwargs["queryset"] = Role.objects.filter(organization=object_of(request)).order_by("name")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    @display(description="Members", ordering="memberships_count")
    def members(self, organization: Any) -> int:
        count: int = organization.memberships_count
        return count

    @display(description="Projects", ordering="projects_count")
    def projects(self, organization: Any) -> int:
        count: int = organization.projects_count
        return count


def _count(model: type[Membership | Project]) -> Coalesce:
    """Return a subquery that counts rows of an organization; joins of both models would multiply the counts."""
    own = model._default_manager.filter(organization=OuterRef("pk")).order_by().values("organization")
    return Coalesce(Subquery(own.annotate(count=Count("pk")).values("count")), 0)


def object_of(request: HttpRequest) -> UUID | None:
    """Return the id of the object in the URL of its form; None for a new one."""
    return parse_uuid(request.resolver_match.kwargs.get("object_id", "")) if request.resolver_match else None
