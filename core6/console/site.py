"""The site of the console: login, overview, and base classes of lists, forms and buttons."""

import json
from collections.abc import Callable
from typing import Any, ClassVar, Final

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.html import format_html
from django.utils.text import capfirst
from unfold.admin import TabularInline
from unfold.decorators import action
from unfold.sites import UnfoldAdminSite

from core6.accounts.models import User
from core6.console.home import overview
from core6.console.lab import lab_page
from core6.console.logged import LoggedAdmin, changes_of_form
from core6.console.login import LoginForm, remember_device
from core6.database.timestamps import with_timestamps


class ConsoleSite(UnfoldAdminSite):
    """`/admin/`, for users with `is_staff`; its overview shows what is wrong, how much there is, and what happens."""

    login_form = LoginForm
    index_template = "core6/console/index.html"
    index_title = "Overview"

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Respond with 429 to a limited login, and remember the browser after a successful one."""
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
        return super().index(request, {**(extra_context or {}), **overview()})

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Add the page of the lab."""
        return [path("lab/", self.admin_view(self.lab), name="lab"), *super().get_urls()]

    def lab(self, request: HttpRequest) -> HttpResponse:
        return lab_page(request, self.each_context(request))


site: Final = ConsoleSite()


class ConsoleAdmin(LoggedAdmin):
    """A list, a form and buttons of one model. Only subclasses allow deletion."""

    list_per_page = 50
    show_full_result_count = False  # it would count the whole table with every search
    warn_unsaved_form = True
    compressed_fields = True

    #: The title of the list; "" for the plural name of the model.
    plural: ClassVar[str] = ""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list under its name."""
        response: HttpResponse = super().changelist_view(request, {**(extra_context or {}), **self._titles()})
        return response

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *given: Any, **named: Any
    ) -> HttpResponse:
        """Show an object under its name, below that of its list."""
        obj = named.get("obj")
        name = self.name_of(obj) if obj else "New"
        response: HttpResponse = super().render_change_form(
            request, {**context, **self._titles(), "subtitle": name, "object_title": name}, *given, **named
        )
        return response

    def render_delete_form(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        """Ask for the deletion of an object under its name, below that of its list."""
        title = self._titles()["list_title"]
        name = self.name_of(context["object"])
        response: HttpResponse = super().render_delete_form(
            request, {**context, "list_title": title, "object_title": name}
        )
        return response

    def _titles(self) -> dict[str, str]:
        title = self.plural or capfirst(str(self.model._meta.verbose_name_plural))
        return {"title": title, "list_title": title}

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        """Write only changed fields: the API may write others at the same time."""
        if not change:
            obj.save(force_insert=True)
            self.log(request, obj, "created")
            return
        names = [field.name for field in obj._meta.concrete_fields if field.name in form.changed_data]
        if names:
            obj.save(update_fields=with_timestamps(obj, names))
            self.log(request, obj, "updated", changes_of_form(form, self.activity_scope))

    def log_and_redirect(self, request: HttpRequest, obj: Model, message: str, activity: str) -> HttpResponse:
        """Log a button's action on the object, show a message about it, and redirect to the object."""
        self.log(request, obj, activity)
        return self.message_and_redirect(request, obj, messages.SUCCESS, message)

    def message_and_redirect(self, request: HttpRequest, obj: Model, level: int, message: str) -> HttpResponse:
        """Show a message and redirect to the object."""
        self.message_user(request, message, level)
        meta = obj._meta
        url = reverse(f"{self.admin_site.name}:{meta.app_label}_{meta.model_name}_change", args=(obj.pk,))
        if "HX-Request" in request.headers:  # a dialog, which would show the target of a redirect in itself
            return HttpResponse(headers={"HX-Redirect": url})
        return HttpResponseRedirect(url)


class ReadOnlyAdmin(ConsoleAdmin):
    """A read-only list; buttons may still change objects."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ShownInline(TabularInline):
    """Existing rows of an object."""

    extra = 0
    hide_title = True
    per_page = 50
    tab = True

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReadOnlyInline(ShownInline):
    """Existing rows of an object, read-only."""

    can_delete = False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class InlineForm(forms.ModelForm):
    """A row to add; Django would not check constraints that include the parent object."""

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # a hook that the stubs do not know
        if not self.errors:
            try:
                self.instance.validate_constraints()
            except ValidationError as error:
                self.add_error(None, error)


class AddedInline(TabularInline):
    """Rows to add to an object; separate from existing ones, each of which would query its choices."""

    form = InlineForm
    extra = 1
    tab = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).none()


def as_json(value: Any) -> str:
    """Return a value as formatted JSON."""
    return format_html(
        '<pre style="white-space: pre-wrap; overflow-wrap: anywhere">{}</pre>',
        json.dumps(value, indent=2, ensure_ascii=False),
    )


def button(label: str, description: str, icon: str) -> Callable[..., Any]:
    """Declare a button of an object, with a dialog that shows `description` and asks for confirmation."""
    dialog = {"title": label, "description": description, "form_submit_text": label}
    declared: Callable[..., Any] = action(description=label, icon=icon, dialog=dialog)
    return declared
