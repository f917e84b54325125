"""Changes that are made in the console go to the activity log, beside those that are made by the API."""

from collections.abc import Sequence
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.admin import ModelAdmin

from core6.activity.log import log
from core6.activity.models import Change, change, plain

#: What a form calls a secret, whose value no log holds.
_SECRETS = ("password", "password1", "password2")


def changes_of_form(form: Any, kind: str) -> list[Change]:
    """Return the changes that a valid form of an existing object makes, without secrets."""
    return [
        change(name, plain(form.initial.get(name)), plain(form.cleaned_data.get(name)), kind=kind)
        for name in form.changed_data
        if name not in _SECRETS
    ]


class LoggedAdmin(ModelAdmin):
    """Logs what its forms do, and shows the log of an object as its history."""

    #: The scope of changes of this model in the log, and those of others that belong to its history.
    activity_scope: ClassVar[str]
    history_scopes: ClassVar[Sequence[str]] = ()
    #: The scopes of models that are edited inside the form.
    inline_scopes: ClassVar[dict[str, str]] = {}
    #: What a deletion is called.
    deletion: ClassVar[str] = "deleted"

    def log(
        self,
        request: HttpRequest,
        obj: Model,
        activity: str,
        changes: Sequence[Change] | None = None,
        scope: str = "",
    ) -> None:
        """Log what the user did with the object."""
        organization_id, project_id = self.owner_of(obj)
        log(
            scope=scope or self.activity_scope,
            item_id=obj.pk,
            name=self.name_of(obj),
            activity=activity,
            user_id=request.user.pk,
            organization_id=organization_id,
            project_id=project_id,
            changes=changes,
        )

    def owner_of(self, obj: Any) -> tuple[Any, int | None]:
        """Return the ids of the organization and of the project that a change of the object belongs to."""
        return getattr(obj, "organization_id", None), getattr(obj, "project_id", None)

    def name_of(self, obj: Model) -> str:
        """Return the name of an object, or of a row inside its form, in the log."""
        return str(obj)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: Any) -> None:
        """Save the rows inside the form, and log them."""
        scope = self.inline_scopes.get(formset.model._meta.model_name)
        if scope:
            for each in formset.deleted_forms:
                if each.instance.pk and not each.instance._state.adding:
                    self.log(request, each.instance, "deleted", scope=scope)
        super().save_formset(request, form, formset, change)
        if scope:
            forms = {each.instance.pk: each for each in formset.initial_forms}
            for obj, _ in formset.changed_objects:
                self.log(request, obj, "updated", changes_of_form(forms[obj.pk], scope), scope)
            for obj in formset.new_objects:
                self.log(request, obj, "created", scope=scope)

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        with transaction.atomic():
            self.log(request, obj, self.deletion)
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with transaction.atomic():
            for obj in queryset:
                self.log(request, obj, self.deletion)
            super().delete_queryset(request, queryset)

    # Django keeps another log of its own.
    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """Do nothing: `save_model` logs."""

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """Do nothing: `save_model` and buttons log."""

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Do nothing: `delete_model` and `delete_queryset` log."""

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Redirect to the activity of the object."""
        scopes = ",".join((self.activity_scope, *self.history_scopes))
        query = urlencode({"scope": scopes, "item_id": object_id}, safe=",")
        return HttpResponseRedirect(f"{reverse('admin:activity_activitylog_changelist')}?{query}")
