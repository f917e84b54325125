"""What a resource overrides is called for each GET for which REST framework itself would call it.

Each function and property that a viewset, its serializer, a field or another of its parts has is overridden in a
subclass, one at a time. Nothing here is a list of them: what is added to a part is tried, too.
"""

import copy
from collections.abc import Callable, Iterator
from functools import cached_property, partial, wraps
from inspect import isclass, isfunction
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, models
from django.db.models.functions import Now, Random, Upper
from django.test import override_settings
from django.test.utils import isolate_apps
from django.urls import ResolverMatch, include, path, resolve
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin

from annotations.models import Annotation
from annotations.views import AnnotationViewSet
from core6.activity.models import ActivityLog
from core6.analytics.models import Person
from core6.api import response_cache
from core6.api.reads import List, Retrieve
from core6.api.repeatable import overridden
from core6.api.routers import Router
from core6.database.prepared import PROJECT
from projects.scoping import ProjectScopedViewSet
from tests.api.test_permission_matrix import MATRIX
from tests.conftest import Caller, Cast
from tests.support.sampling import sampled

#: Makes another class of one.
Change = Callable[[type], type]
#: Attributes of a viewset that are a class, or several.
PARTS = (
    *("serializer_class", "pagination_class", "filterset_class", "filter_backends", "permission_classes"),
    *("authentication_classes", "throttle_classes", "renderer_classes"),
)
#: The operation that a part is tried in, by the name of the part, what it is, and the action.
TRIED_IN: dict[Any, str] = {}


class Calls:
    """Counts the calls of one function that a subclass overrides; it does what the function does."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def within(self, cls: type, names: "set[str] | None" = None) -> type:
        """Return a subclass that overrides the named functions and properties, or all."""
        found = dict(functions_of(cls))
        chosen = found.keys() if names is None else names & found.keys()
        return subclass(cls, {name: self._probe(name, found[name]) for name in chosen})

    def _probe(self, name: str, original: Any) -> Any:
        def probe(*args: Any, **kwargs: Any) -> Any:
            self.names.add(name)
            return function(*args, **kwargs)

        if isinstance(original, property):
            function: Callable[..., Any] = original.fget  # type: ignore[assignment]  # one that can be read
            return property(probe, original.fset)
        if isinstance(original, cached_property):
            function = original.func
            return cached_property(probe)
        function = original
        return probe


def subclass(cls: type, attributes: dict[str, Any]) -> type:
    """Return a subclass, made in this module as a class statement would make it."""
    return type(cls)(cls.__name__, (cls,), {"__module__": __name__, **attributes})


def functions_of(cls: type) -> Iterator[tuple[str, Any]]:
    """Return the public functions and properties of a class and its bases."""
    for name in dir(cls):
        if name.startswith("_"):
            continue
        found = next(vars(each)[name] for each in cls.__mro__ if name in vars(each))
        if isfunction(found) or isinstance(found, property | cached_property):
            yield name, found


def called_within(match: ResolverMatch, view: type, caller: Caller, url: str) -> Any:
    """Return the answer of a viewset in the place of the one that answers there."""
    urls = ModuleType("urls_of_a_test")
    original: Any = match.func
    template = url[1:]
    callback = view.as_view(original.actions, **original.initkwargs)  # type: ignore[attr-defined]  # a viewset's
    urls.urlpatterns = [path(template, callback, match.kwargs)]  # type: ignore[attr-defined]  # as Django looks for it
    with override_settings(ROOT_URLCONF=urls):
        return caller.get(url)


def plainly(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(List, "list", ListModelMixin.list)
    patch.setattr(Retrieve, "retrieve", RetrieveModelMixin.retrieve)


def views_with(view: type, part: str, changed: Change) -> type:
    """Return a subclass of a view whose part, or each of several, is changed."""
    given = getattr(view, part)
    made = changed(given) if isclass(given) else tuple(map(changed, given))
    return subclass(view, {part: made, "serializer_classes": {}})


def with_field(view: type, name: str, changed: Change) -> type:
    """Return a subclass of a view with one field of its serializer changed."""

    def change(serializer_class: type) -> type:
        field = copy.copy(serializer_class().fields[name])
        field.__class__ = changed(type(field))
        return subclass(serializer_class, {name: copy.deepcopy(field)})

    return views_with(view, "serializer_class", change)


def match_of(operation: str) -> Any:
    """Return where the address of an operation leads, with any ids."""
    ids = dict.fromkeys(("organization_id", "role_id"), UUID(int=0)) | dict.fromkeys(("project_id", "id"), 0)
    return resolve(MATRIX[operation].path.format(**ids))


def action_of(operation: str) -> str:
    return str(match_of(operation).func.actions.get("get"))


def place_of(operation: str, part: str) -> Any:
    """Return what is alike in all operations in which trying a part once is enough; the view is tried in each."""
    match = match_of(operation)
    found = {**vars(match.func.cls), **match.func.initkwargs}.get(part) or getattr(match.func.cls, part, None)
    return (part, str(found), match.func.actions["get"])


#: What List and Retrieve answer; other actions are REST framework's own.
READS = sampled(
    [name for name, row in MATRIX.items() if row.method == "GET" and action_of(name) in ("list", "retrieve")], 9
)
TRIED_IN |= {place_of(operation, part): operation for operation in READS for part in PARTS}


def probes(operation: str, view: Any) -> Iterator[tuple[str, Callable[[Change], type]]]:
    """Return what can be changed of a view: by its name, what makes a view of what changes a class."""
    yield "view", lambda changed: changed(view)
    for part in PARTS:
        if getattr(view, part, None) and TRIED_IN[place_of(operation, part)] == operation:
            yield part, partial(views_with, view, part)
    if TRIED_IN[place_of(operation, "serializer_class")] != operation:
        return
    # One of each class is enough.
    fields = {type(field): name for name, field in view.serializer_class().fields.items() if not field.write_only}
    for kind, name in fields.items():
        if kind is not serializers.ListSerializer:
            yield name, partial(with_field, view, name)


@pytest.mark.parametrize("operation", READS)
def test_what_is_overridden_decides_each_time(cast: Cast, operation: str, monkeypatch: pytest.MonkeyPatch):
    url, alice = MATRIX[operation].url(cast), cast.caller(cast.alice)
    match: Any = resolve(url)
    silent = []
    tried = 0
    for part, make in probes(operation, match.func.cls):
        every = Calls()
        changed = make(every.within)
        with monkeypatch.context() as patch:
            plainly(patch)
            called_within(match, changed, alice, url)
            every.names.clear()  # what runs once for a class
            expected = called_within(match, changed, alice, url)
        assert expected.status_code == 200, (part, expected.content)
        for name in sorted(every.names):
            only = Calls()
            changed = make(partial(only.within, names={name}))
            for turn in range(2):
                only.names.clear()
                assert called_within(match, changed, alice, url).status_code == 200
                tried += 1
                if not only.names:
                    silent.append(f"{part}.{name} in turn {turn}")
    assert silent == []
    assert tried > 50


def test_a_described_method_is_no_override_and_a_decorated_override_is_one():
    @wraps(List.list)
    def override(*args: Any, **kwargs: Any) -> Any:
        return List.list(*args, **kwargs)

    described = extend_schema_view(list=extend_schema(summary="All"))
    assert "list" not in overridden(described(subclass(AnnotationViewSet, {})))
    overriding = subclass(AnnotationViewSet, {"list": override})
    for cls in (overriding, described(overriding), described(subclass(overriding, {}))):
        assert "list" in overridden(cls)


@pytest.fixture
def flags(cast: Cast) -> type[models.Model]:
    """A model whose table no trigger watches, with two rows."""
    with isolate_apps("annotations"):

        class Flag(models.Model):
            project_id = models.BigIntegerField()
            name = models.TextField()

            class Meta:
                app_label = "annotations"
                db_table = "flag_of_a_test"

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE flag_of_a_test (id bigserial PRIMARY KEY, project_id bigint, name text)")
        cursor.execute(
            "INSERT INTO flag_of_a_test (project_id, name) VALUES (%s, 'one'), (%s, 'two')", [cast.web.pk] * 2
        )
    return Flag


def test_rows_that_no_trigger_watches_are_read_each_time(cast: Cast, flags: type[models.Model]):
    class FlagSerializer(serializers.ModelSerializer[Any]):
        class Meta:
            model = flags
            fields = ("id", "name")

    class FlagViewSet(List, Retrieve, ProjectScopedViewSet[Any]):
        scope = "annotation"
        rows = ({"project_id": PROJECT},)
        ordering = ("id",)
        queryset = flags._default_manager.all()
        serializer_class = FlagSerializer

    urls = ModuleType("urls_of_a_test")
    router = Router()
    router.register("flags", FlagViewSet, basename="flags")
    urls.urlpatterns = [path("api/projects/<str:project_id>/", include(router.urls))]  # type: ignore[attr-defined]
    at = f"/api/projects/{cast.web.pk}/flags/"
    with override_settings(ROOT_URLCONF=urls), connection.cursor() as cursor:
        alice = cast.caller(cast.alice)
        for name in ("two", "three", "four"):
            cursor.execute("UPDATE flag_of_a_test SET name = %s WHERE name <> 'one'", [name])
            for _ in range(2):
                body = alice.get(at).json()
                assert [row["name"] for row in body["results"]] == ["one", name]
                assert alice.get(f"{at}{body['results'][1]['id']}/").json()["name"] == name
        assert cast.caller(cast.dave).get(at).status_code == 403


@pytest.mark.parametrize(
    ("queryset", "is_watched"),
    [
        (Annotation.objects.filter(content="x"), True),
        (Annotation.objects.annotate(shown=Upper("content")), True),
        (Annotation.objects.filter(created_at__lt=Now()), False),
        (Annotation.objects.order_by(Random()), False),
        (Person.objects.filter(project_id=1), False),
        (Annotation.objects.filter(pk__in=ActivityLog.objects.values("project")), False),
        (Annotation.objects.extra(where=["created_at < current_timestamp"]), False),
        (Annotation.objects.extra(where=["content IN (SELECT 'x' FROM \"activity_activitylog\")"]), False),
        (Annotation.objects.filter(pk__in=range(10_000)), False),
    ],
)
def test_a_statement_is_watched_if_all_that_it_reads_is(db: None, queryset: models.QuerySet[Any], is_watched: bool):
    assert response_cache.are_watched([str(queryset.query)]) is is_watched
