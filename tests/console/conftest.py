"""The console as Alice uses it, who has the right; forms are sent as a browser sends them, with the changes."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import models
from django.test import Client

from core6.accounts.models import User
from tests.conftest import Cast


def address(obj: models.Model, button: str = "change") -> str:
    meta = obj._meta
    return f"/admin/{meta.app_label}/{meta.model_name}/{obj.pk}/{button}/"


def place(model: type[models.Model], page: str = "") -> str:
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/{page}"


@dataclass
class Console:
    """A browser in which a user is logged in."""

    user: User
    client: Client = field(default_factory=Client)

    def __post_init__(self) -> None:
        User.objects.filter(pk=self.user.pk).update(is_staff=True)
        self.user.refresh_from_db()
        self.client.force_login(self.user)

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(path, query)

    def read(self, path: str, **query: Any) -> str:
        answer = self.client.get(path, query, follow=path.endswith("/history/"))
        assert answer.status_code == 200, (path, answer.status_code)
        return str(answer.content.decode())

    def rows(self, model: type[models.Model], **query: Any) -> set[Any]:
        """Return the keys of what a list shows."""
        answer = self.get(place(model), **query)
        assert answer.status_code == 200, (query, answer.headers.get("Location"))
        return {row.pk for row in answer.context["cl"].result_list}

    def fill(self, path: str, **changes: Any) -> Any:
        """Send the form of a page as it came, but for the changes; None leaves a field out, as an unticked box does."""
        page = self.get(path)
        assert page.status_code == 200, (path, page.status_code)
        form = page.context["adminform"].form
        sets = [each.formset for each in page.context["inline_admin_formsets"]]
        forms = [form, *(each.management_form for each in sets), *(each for one in sets for each in one.forms)]
        data: dict[str, Any] = {}
        for each in forms:
            for name in each.fields:
                bound = each[name]
                value = bound.value()
                if hasattr(bound.field.widget, "widgets"):
                    parts = bound.field.widget.decompress(value)
                    data |= {f"{bound.html_name}_{i}": str(part or "") for i, part in enumerate(parts)}
                elif value not in (None, "") and value is not False:
                    data[bound.html_name] = value
        sent = {name: value for name, value in {**data, **changes}.items() if value is not None}
        return self.client.post(path, sent)

    def press(self, obj: models.Model, button: str) -> Any:
        """Press a button of an object and answer yes to what it asks."""
        return self.client.post(address(obj, button), {"_form_submitted": "True"})


def errors(answer: Any) -> str:
    """Return what a form that was sent back complains of."""
    assert answer.status_code == 200, answer.headers
    context = answer.context
    sets = [each.formset for each in context["inline_admin_formsets"]]
    found = [context["adminform"].form.errors.as_text(), *(each.non_form_errors().as_text() for each in sets)]
    found += [each.as_text() for one in sets for each in one.errors]
    assert any(found), "the form has no error"
    return "\n".join(found)


@pytest.fixture
def console(cast: Cast) -> Console:
    return Console(cast.alice)
