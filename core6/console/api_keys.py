"""Personal API keys in the console: they are created, shown once and revoked."""

from datetime import timedelta
from typing import Any, ClassVar, Final

from django import forms
from django.contrib import messages
from django.contrib.admin import SimpleListFilter
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminSelectMultipleWidget

from core6.accounts import keys
from core6.accounts.models import Organization, PersonalAPIKey
from core6.accounts.scopes import ACTIONS, ALL
from core6.console.site import ConsoleAdmin
from core6.console.times import when
from core6.database import timestamps
from core6.security.masking import mask_key
from projects.models import Project

#: The objects of scopes that endpoints of this server require.
SCOPED: Final = (
    *("activity_log", "annotation", "cohort", "organization", "organization_member", "person", "project", "user"),
)
SCOPES: Final = (ALL, *(f"{name}:{action}" for name in SCOPED for action in ACTIONS))


class KeyForm(forms.ModelForm):
    """The form of a new key."""

    scopes = forms.MultipleChoiceField(
        choices=[(scope, "everything (*)" if scope == ALL else scope) for scope in SCOPES],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        required=False,
        help_text="What the key may do; write includes read. None: the key may do nothing.",
    )
    scoped_organizations = forms.ModelMultipleChoiceField(
        Organization.objects.order_by("name", "pk"),
        label="Only in organizations",
        widget=UnfoldAdminSelectMultipleWidget,
        required=False,
        help_text="The organizations that the key reaches; none: all of its user's.",
    )
    scoped_teams = forms.ModelMultipleChoiceField(
        Project.objects.order_by("name", "pk"),
        label="Only in projects",
        widget=UnfoldAdminSelectMultipleWidget,
        required=False,
        help_text="The projects that the key reaches; none: all of its user's.",
    )

    class Meta:
        model = PersonalAPIKey
        fields = ("user", "label", "scopes", "scoped_organizations", "scoped_teams")

    def clean_scoped_organizations(self) -> list[Any]:
        return [organization.pk for organization in self.cleaned_data["scoped_organizations"]]

    def clean_scoped_teams(self) -> list[Any]:
        return [project.pk for project in self.cleaned_data["scoped_teams"]]


class UseFilter(SimpleListFilter):
    """Filters keys by their last use."""

    title = "use"
    parameter_name = "use"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("month", "within 30 days"), ("old", "not within 30 days"), ("never", "never")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        month = timestamps.now() - timedelta(days=30)
        match self.value():
            case "month":
                return queryset.filter(last_used_at__gte=month)
            case "old":
                return queryset.filter(last_used_at__lt=month)
            case "never":
                return queryset.filter(last_used_at=None)
        return queryset


class PersonalAPIKeyAdmin(ConsoleAdmin):
    """The keys, shown by their masks. Deleting a key revokes it at once."""

    activity_scope = "PersonalAPIKey"
    plural = "API keys"
    deletion = "revoked"
    delete_confirmation_template = "core6/console/revoke.html"
    delete_selected_confirmation_template = "core6/console/revoke.html"
    form = KeyForm
    list_display = ("label", "user", "mask_value", "scopes_shown", "is_restricted", "created", "last_used")
    list_filter = (UseFilter, "created_at")
    created = when("created_at", "Created")
    last_used = when("last_used_at", "Last used")
    list_select_related = ("user",)
    search_fields = ("label", "user__email", "mask_value")
    ordering = ("-created_at", "pk")
    autocomplete_fields = ("user",)
    fields: ClassVar[Any] = (
        *("user", "label", "mask_value", "scopes_shown", "organizations", "projects", "created_at", "last_used_at"),
    )

    def name_of(self, obj: Any) -> str:
        return f"{obj.label} of {obj.user}"

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return True

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: PersonalAPIKey | None = None) -> Any:
        return self.fields if obj else KeyForm.Meta.fields

    def get_readonly_fields(self, request: HttpRequest, obj: PersonalAPIKey | None = None) -> Any:
        return self.fields if obj else ()

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        if "delete_selected" in actions:
            actions["delete_selected"] = (*actions["delete_selected"][:2], "Revoke the selected keys")
        return actions

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Offer one button: each would show the key, once."""
        buttons = {"show_save_and_add_another": False, "show_save_and_continue": False}
        response: HttpResponse = super().add_view(request, form_url, {**(extra_context or {}), **buttons})
        return response

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response: HttpResponse = super().delete_view(
            request, object_id, {**(extra_context or {}), "title": "Revoke a key"}
        )
        return response

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: Any) -> HttpResponse:
        """Say that the key was revoked, and return to the list."""
        message = f"The key “{obj_display}” was revoked: requests with it are refused from now on."
        self.message_user(request, message, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:accounts_personalapikey_changelist"))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        obj.value = keys.generate()  # only for the response
        obj.secure_value, obj.mask_value = keys.digest(obj.value), mask_key(obj.value)
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """Show the key, only in this response."""
        context = {**self.admin_site.each_context(request), "title": "The new key", "key": obj}
        host = request.build_absolute_uri("/").rstrip("/")
        return TemplateResponse(request, "core6/console/shown_once.html", {**context, "host": host})

    @display(description="Scopes")
    def scopes_shown(self, key: PersonalAPIKey) -> str:
        return ", ".join(key.scopes or []) or "none"

    @display(description="Restricted", boolean=True)
    def is_restricted(self, key: PersonalAPIKey) -> bool:
        return bool(key.scoped_organizations or key.scoped_teams)

    @display(description="Only in organizations")
    def organizations(self, key: PersonalAPIKey) -> str:
        return _names(Organization, key.scoped_organizations)

    @display(description="Only in projects")
    def projects(self, key: PersonalAPIKey) -> str:
        return _names(Project, key.scoped_teams)


def _names(model: type[Organization | Project], ids: list[Any] | None) -> str:
    found = model._default_manager.filter(pk__in=ids or []).order_by("name", "pk")
    return ", ".join(f"{each.name} ({each.pk})" for each in found) or "everywhere"
