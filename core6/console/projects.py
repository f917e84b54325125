"""Projects in the console: read-only settings, masked secrets, and buttons for actions."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import display

from core6.accounts.models import User
from core6.console.site import ConsoleAdmin, button
from core6.console.times import when
from core6.security.masking import mask_key
from projects import tokens
from projects.activity import change as changed
from projects.activity import log_updated
from projects.models import Project
from projects.onboarding import create_project

_OWN = ("organization", "name", "product_description")
_TOKENS = ("token", "secret_token", "secret_token_backup", "widget_token")
_SECRET = ("secret_api_token", "secret_api_token_backup")


class ProjectAdmin(ConsoleAdmin):
    """Name and description can be changed here; settings only by the API, which validates them."""

    activity_scope = "Project"
    history_scopes = ("Team",)
    list_display = ("name", "organization", "id", "token_shown", "is_demo", "ingested_event", "created")
    created = when("created_at", "Created")
    list_filter = ("is_demo", "ingested_event", "created_at")
    search_fields = ("name", "organization__name", "api_token", "uuid")
    ordering = ("organization__name", "name", "pk")
    autocomplete_fields = ("organization",)
    actions_detail = (
        *("reset_token", "rotate_secret_token", "delete_secret_token_backup", "generate_conversations_public_token"),
    )
    settings_shown: ClassVar[Any] = tuple(
        field.name for field in Project._meta.concrete_fields if field.name not in (*_OWN, *_SECRET, "api_token")
    )
    fieldsets = (
        (None, {"fields": (*_OWN, *_TOKENS)}),
        ("Settings", {"fields": settings_shown, "classes": ("collapse",)}),
    )
    add_fieldsets = ((None, {"fields": _OWN}),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Project]:
        return super().get_queryset(request).select_related("organization", "primary_dashboard")

    def get_readonly_fields(self, request: HttpRequest, obj: Project | None = None) -> Any:
        return ("organization", *_TOKENS, *self.settings_shown) if obj else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        if change:
            obj.save(update_fields=form.changed_data)
            entries = [changed(name, form.initial[name], form.cleaned_data[name]) for name in form.changed_data]
            log_updated(obj, _user(request), entries)
            return
        made = create_project(user=_user(request), **{name: form.cleaned_data[name] for name in _OWN})
        obj.pk, obj._state.adding = made.pk, False

    def get_actions_detail(self, request: HttpRequest, object_id: int | str | None = None) -> list[Any]:
        """Show no buttons on top: each stands beside the token that it replaces."""
        return []

    @display(description="Project token", ordering="api_token")
    def token_shown(self, project: Project) -> str:
        return project.api_token

    @display(description="Project token")
    def token(self, project: Project) -> str:
        value = format_html(
            '<code id="token">{}</code> <button type="button" class="core6-button" data-copy="#token">Copy</button>',
            project.api_token,
        )
        return _beside(value, project, "reset_token", "Reset the project token")

    @display(description="Secret API token")
    def secret_token(self, project: Project) -> str:
        value = mask_key(project.secret_api_token) or "none"
        return _beside(value, project, "rotate_secret_token", "Rotate the secret token")

    @display(description="Previous secret")
    def secret_token_backup(self, project: Project) -> str:
        value = mask_key(project.secret_api_token_backup) or "none"
        return _beside(value, project, "delete_secret_token_backup", "Revoke the previous secret")

    @display(description="Widget token")
    def widget_token(self, project: Project) -> str:
        value = (project.conversations_settings or {}).get("widget_public_token") or "none"
        return _beside(value, project, "generate_conversations_public_token", "New widget token")

    @button("Reset the project token", "Events with the current token are refused from then on.", "key")
    def reset_token(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self._act(request, object_id, tokens.reset_api_token, "The project has a new token.")

    @button(
        "Rotate the secret token",
        "The current secret stays valid as the previous one; the previous one is revoked.",
        "sync",
    )
    def rotate_secret_token(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        message = "The project has a new secret token, which the API returns in full."
        return self._act(request, object_id, tokens.rotate_secret_token, message)

    @button("Revoke the previous secret", "Requests with the previous secret are refused from then on.", "key_off")
    def delete_secret_token_backup(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self._act(request, object_id, tokens.delete_secret_token_backup, "The previous secret was revoked.")

    @button("New widget token", "The conversations widget must use the new token from then on.", "forum")
    def generate_conversations_public_token(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        act = tokens.generate_conversations_public_token
        return self._act(request, object_id, act, "The conversations widget has a new token.")

    def _act(
        self, request: HttpRequest, object_id: str, act: Callable[[Project, User | None], None], message: str
    ) -> HttpResponse:
        """Run the action on the locked project, as the API does."""
        with transaction.atomic():
            found = self.get_object(request, object_id)
            project = found and Project.objects.select_for_update().filter(pk=found.pk).first()
            if project is None:
                raise Http404
            if act is tokens.delete_secret_token_backup and project.secret_api_token_backup is None:
                return self.message_and_redirect(
                    request, project, messages.WARNING, "The project has no previous secret."
                )
            act(project, _user(request))
            return self.message_and_redirect(request, project, messages.SUCCESS, message)


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _beside(value: str, project: Project, action: str, label: str) -> str:
    """Return a value with the button that opens the dialog of an action."""
    address = reverse(f"admin:projects_project_{action}", args=(project.pk,))
    return format_html(
        '<span class="core6-beside"><span>{}</span> <a class="core6-button core6-danger" href="{}" hx-get="{}"'
        ' hx-target="#modal-content" hx-select="#dialog" x-on:htmx:after-on-load="openModal = true">{}</a></span>',
        *(value, address, address, label),
    )
