"""Calls the page's operations by the client of openapi-python-client; prints each name and status."""

import os
from datetime import UTC, datetime
from io import BytesIO
from types import ModuleType
from typing import Any
from uuid import UUID

from core_6_client import AuthenticatedClient, models  # type: ignore[import-not-found]
from core_6_client.api.annotations import (  # type: ignore[import-not-found]
    annotations_create,
    annotations_destroy,
    annotations_list,
    annotations_partial_update,
    annotations_retrieve,
)
from core_6_client.api.cohorts import cohorts_create, cohorts_list  # type: ignore[import-not-found]
from core_6_client.api.organizations import (  # type: ignore[import-not-found]
    complete_product_onboarding_partial_update,
    delete_secret_token_backup_partial_update,
    generate_conversations_public_token_create,
    is_generating_demo_data_retrieve,
    reset_token_partial_update,
    roles_create,
    roles_destroy,
    roles_list,
    roles_partial_update,
    roles_retrieve,
    rotate_secret_token_partial_update,
)
from core_6_client.types import File  # type: ignore[import-not-found]

ORGANIZATION = UUID(os.environ["CORE6_ORGANIZATION"])
PROJECT = os.environ["CORE6_PROJECT"]
client = AuthenticatedClient(
    base_url=os.environ["CORE6_URL"],
    token=os.environ["POSTHOG_PERSONAL_API_KEY"],
    raise_on_unexpected_status=True,
)


def call(operation: ModuleType, *ids: Any, **more: Any) -> Any:
    answer = operation.sync_detailed(*ids, client=client, **more)
    print(operation.__name__.rpartition(".")[2], int(answer.status_code))  # noqa: T201  # the test reads it
    return answer.parsed


def call_project_actions() -> None:
    ids = ORGANIZATION, int(PROJECT)
    before = call(is_generating_demo_data_retrieve, *ids)
    assert isinstance(before, models.ProjectDemoData)
    assert before.is_generating_demo_data is False
    assert before.organization == ORGANIZATION
    project = call(reset_token_partial_update, *ids)
    assert isinstance(project, models.ProjectBackwardCompat)
    assert project.api_token != before.api_token
    assert isinstance(project.updated_at, datetime)
    first = call(rotate_secret_token_partial_update, *ids)
    second = call(rotate_secret_token_partial_update, *ids, body=models.PatchedProjectBackwardCompatRequest())
    assert second.secret_api_token_backup == first.secret_api_token != second.secret_api_token
    assert call(delete_secret_token_backup_partial_update, *ids).secret_api_token_backup is None
    project = call(generate_conversations_public_token_create, *ids)
    assert project.conversations_settings["widget_public_token"]
    body = models.PatchedCompleteProductOnboardingRequest(timezone="GMT-0", product_type="surveys")
    project = call(complete_product_onboarding_partial_update, *ids, body=body)
    assert [each.product_type for each in project.product_intents] == ["surveys"]
    assert project.timezone == "GMT-0"


def call_roles() -> None:
    role = call(roles_create, ORGANIZATION, body=models.RoleRequest(name="By openapi-python-client"))
    assert isinstance(role, models.Role)
    assert role.created_by.email
    listed = call(roles_list, ORGANIZATION, limit=1000)
    assert isinstance(listed, models.PaginatedRoleList)
    assert role in listed.results
    assert listed.next_ is None
    assert call(roles_retrieve, ORGANIZATION, role.id) == role
    renamed = call(roles_partial_update, ORGANIZATION, role.id, body=models.PatchedRoleRequest(name="Renamed"))
    assert (renamed.id, renamed.name) == (role.id, "Renamed")
    assert call(roles_destroy, ORGANIZATION, role.id) is None
    error = call(roles_retrieve, ORGANIZATION, role.id)
    assert isinstance(error, models.Error)
    assert (error.type_, error.code, error.attr) == ("invalid_request", "not_found", None)


def call_annotations() -> None:
    when = datetime(2026, 3, 1, 12, tzinfo=UTC)
    body = models.AnnotationRequest(content="Launched", date_marker=when, scope="organization")
    annotation = call(annotations_create, PROJECT, body=body)
    assert isinstance(annotation, models.Annotation)
    assert (annotation.date_marker, annotation.scope, annotation.dashboard_name) == (when, "organization", None)
    listed = call(annotations_list, PROJECT, search="Launched", limit=1)
    assert listed.results[0].id == annotation.id
    assert call(annotations_retrieve, PROJECT, annotation.id) == annotation
    body = models.PatchedAnnotationRequest(content=None, deleted=True)
    changed = call(annotations_partial_update, PROJECT, annotation.id, body=body)
    assert (changed.content, changed.deleted) == (None, True)
    assert call(annotations_destroy, PROJECT, annotation.id) is None


def call_cohorts() -> None:
    value = {"type": "person", "key": "plan", "value": ["pro"], "operator": "exact"}
    filters = {"properties": {"type": "OR", "values": [{"type": "AND", "values": [value]}]}}
    cohort = call(cohorts_create, PROJECT, body=models.CohortRequest(name="Payers", filters=filters))
    assert isinstance(cohort, models.Cohort)
    assert (cohort.is_static, cohort.cohort_type, cohort.count) == (False, "realtime", None)
    file = File(BytesIO(b"distinct_id\nnobody\n"), "people.csv", "text/csv")
    uploaded = call(cohorts_create, PROJECT, body=models.CohortsCreateFilesBody(name="Few", is_static=True, csv=file))
    assert (uploaded.name, uploaded.is_static) == ("Few", True)
    assert {cohort.id, uploaded.id} <= {each.id for each in call(cohorts_list, PROJECT).results}


call_project_actions()
call_roles()
call_annotations()
call_cohorts()
