"""The console's site: who comes in, and what its lists, forms and buttons share."""

import json
from collections.abc import Callable
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action
from unfold.sites import UnfoldAdminSite

from core6.accounts.models import User
from core6.console.login import LoginForm, remember_device
from core6.diagnosis.doctor import QUESTIONS, answer

#: What the first page asks of those that the doctor asks.
DOING: Final = (
    *("job workers", "jobs", "failed jobs", "stuck jobs", "failing cohorts", "waiting cohorts", "long calculations"),
    *("long statements", "idle transactions"),
)


class ConsoleSite(UnfoldAdminSite):
    """`/admin/`, for users with `is_staff`; its first page tells what `manage.py doctor` finds of jobs and cohorts."""

    login_form = LoginForm
    index_template = "core6/console/index.html"
    index_title = "How it is doing"

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Answer 429 to a login that has to wait, and remember the browser of one that succeeds."""
        response: HttpResponse = super().login(request, extra_context)
        if isinstance(response, TemplateResponse):
            seconds = (response.context_data or {})["form"].retry_after
            if seconds is not None:
                response.status_code = 429
                response.headers["Retry-After"] = str(seconds)
        elif request.method == "POST" and isinstance(request.user, User):
            remember_device(request, response, request.user)
        return response

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        found = [finding for question in QUESTIONS if question.name in DOING for finding in answer(question)]
        return super().index(request, {**(extra_context or {}), "findings": found})


site: Final = ConsoleSite()


class ConsoleAdmin(ModelAdmin):
    """A list, a form and buttons of one model. Nothing is deleted here unless a subclass says so."""

    list_per_page = 50
    show_full_result_count = False  # it would count the whole table beside every search
    warn_unsaved_form = True
    compressed_fields = True

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        """Write what was changed and no more: the API may write the rest at the same time."""
        if not change:
            obj.save(force_insert=True)
            return
        fields = [field for field in obj._meta.concrete_fields if field.name in form.changed_data]
        if fields:
            stamps = [field for field in obj._meta.concrete_fields if getattr(field, "auto_now", False)]
            obj.save(update_fields=[field.name for field in (*fields, *stamps)])

    def acted(self, request: HttpRequest, obj: Model, said: str) -> HttpResponse:
        """Note in the object's history what a button did, and show the object again."""
        self.log_change(request, obj, said)
        return self.told(request, obj, messages.SUCCESS, said)

    def told(self, request: HttpRequest, obj: Model, level: int, said: str) -> HttpResponse:
        """Say something and show the object again."""
        self.message_user(request, said, level)
        meta = obj._meta
        url = reverse(f"{self.admin_site.name}:{meta.app_label}_{meta.model_name}_change", args=(obj.pk,))
        if "HX-Request" in request.headers:  # the dialog, which would show in itself what it is led to
            return HttpResponse(headers={"HX-Redirect": url})
        return HttpResponseRedirect(url)


class ReadOnlyAdmin(ConsoleAdmin):
    """A list to look at; buttons may act all the same."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ShownInline(TabularInline):
    """Rows that belong to an object; none is added here."""

    extra = 0
    per_page = 50
    tab = True

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReadOnlyInline(ShownInline):
    """The same, to look at."""

    can_delete = False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class InlineForm(forms.ModelForm):
    """A row to add; without this the constraints that name the object of the whole form would not be looked at."""

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # a hook that the stubs do not know
        if not self.errors:
            try:
                self.instance.validate_constraints()
            except ValidationError as error:
                self.add_error(None, error)


class AddedInline(TabularInline):
    """Rows to add to an object; apart from those that are there, for each of which its choices would be asked for."""

    form = InlineForm
    extra = 1
    tab = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).none()


def as_json(value: Any) -> str:
    """Return a value as people read JSON."""
    return format_html(
        '<pre style="white-space: pre-wrap; overflow-wrap: anywhere">{}</pre>',
        json.dumps(value, indent=2, ensure_ascii=False),
    )


def button(label: str, question: str, icon: str) -> Callable[..., Any]:
    """Declare a button of one object, which asks `question` first: what changes something is never a mere link."""
    dialog = {"title": label, "description": question, "form_submit_text": label}
    declared: Callable[..., Any] = action(description=label, icon=icon, dialog=dialog)
    return declared
