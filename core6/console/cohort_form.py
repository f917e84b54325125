"""The form of a cohort: name, description and filters, which the API's own code validates and saves."""

import json
from collections.abc import Iterator
from typing import Any, ClassVar

from django import forms
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextareaWidget

from cohorts.calculation.dependencies import lock_definitions
from cohorts.models import Cohort
from cohorts.serializers import CohortSerializer
from cohorts.views import CohortViewSet
from core6.api.tenants import Tenant


class FiltersField(forms.JSONField):
    """Criteria as indented JSON."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 18, "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


class CohortForm(forms.ModelForm):
    """Sends what was changed to the serializer of the API."""

    request: ClassVar[HttpRequest]
    serializer: CohortSerializer | None = None

    class Meta:
        model = Cohort
        fields = ("name", "description", "filters")

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        if "filters" in self.fields:
            self.fields["filters"] = FiltersField(
                required=False,
                initial=self.instance.criteria,
                help_text="The criteria as the API takes them. The members are computed again when this is saved.",
            )
            self.initial["filters"] = self.instance.criteria

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        sent = {name: cleaned[name] for name in self.changed_data if name in cleaned}
        if sent and not self.errors:
            # The transaction of the request holds these locks until the cohort is saved.
            lock_definitions(self.instance.project_id)
            cohort = Cohort.objects.select_for_update().get(pk=self.instance.pk)
            serializer = CohortSerializer(
                cohort,
                data=sent,
                partial=True,
                context={"project_id": cohort.project_id, "request": self.request},
            )
            if serializer.is_valid():
                self.serializer = serializer
            for name, text in _texts(serializer.errors):
                self.add_error(name if name in self.fields else None, text)
        return cleaned

    def _post_clean(self) -> None:
        """Leave the instance as it is: the serializer saves another one."""


def view_of(cohort: Cohort, request: HttpRequest) -> CohortViewSet:
    """Return the API's view of a cohort's project; the console has judged already what its user may do."""
    tenant = Tenant(cohort.project.organization, None, cohort.project_id)
    return CohortViewSet(request=request, tenant=tenant, action="partial_update", kwargs={})


def _texts(errors: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Return the field and the text of each error; the text begins with the place inside the field."""
    if isinstance(errors, dict):
        for name, nested in errors.items():
            yield from _texts(nested, (*path, str(name)))
    elif isinstance(errors, list):
        for nested in errors:
            yield from _texts(nested, path)
    else:
        place = ": ".join(path[1:])
        yield path[0] if path else "", f"{place}: {errors}" if place else str(errors)
