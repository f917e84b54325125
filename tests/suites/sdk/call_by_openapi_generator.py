"""Calls the page's operations by the `python` client of openapi-generator; prints each name and status."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import openapi_client as sdk  # type: ignore[import-not-found]

ORGANIZATION = UUID(os.environ["CORE6_ORGANIZATION"])
PROJECT = os.environ["CORE6_PROJECT"]
client = sdk.ApiClient(
    sdk.Configuration(host=os.environ["CORE6_URL"], access_token=os.environ["POSTHOG_PERSONAL_API_KEY"])
)


def call(operation: Callable[..., Any], **fields: Any) -> Any:
    """Return the data of the answer, or the error that it raises."""
    try:
        answer = operation(**fields)
        status, data = answer.status_code, answer.data
    except sdk.ApiException as error:
        status, data = error.status, error.data
    print(operation.__name__.removesuffix("_with_http_info"), status)  # noqa: T201  # the test reads it
    return data


def call_project_actions() -> None:
    api, ids = sdk.ProjectsApi(client), {"organization_id": ORGANIZATION, "id": int(PROJECT)}
    before = call(api.is_generating_demo_data_retrieve_with_http_info, **ids)
    assert isinstance(before, sdk.ProjectDemoData)
    assert before.is_generating_demo_data is False
    assert before.organization == ORGANIZATION
    project = call(api.reset_token_partial_update_with_http_info, **ids)
    assert isinstance(project, sdk.ProjectBackwardCompat)
    assert project.api_token != before.api_token
    first = call(api.rotate_secret_token_partial_update_with_http_info, **ids)
    second = call(api.rotate_secret_token_partial_update_with_http_info, **ids)
    assert second.secret_api_token_backup == first.secret_api_token != second.secret_api_token
    project = call(api.delete_secret_token_backup_partial_update_with_http_info, **ids)
    assert project.secret_api_token_backup is None
    body = sdk.ProjectBackwardCompatRequest(name="Shop")
    project = call(
        api.generate_conversations_public_token_create_with_http_info, **ids, project_backward_compat_request=body
    )
    assert project.name == "Shop"
    assert project.conversations_settings["widget_public_token"]
    changes = sdk.PatchedCompleteProductOnboardingRequest(
        timezone=sdk.TimezoneEnum.GMT_MINUS_0,
        week_start_day=sdk.WeekStartDayEnum.NUMBER_1,
        product_type=sdk.ProductTypeEnum.SURVEYS,
    )
    project = call(
        api.complete_product_onboarding_partial_update_with_http_info,
        **ids,
        patched_complete_product_onboarding_request=changes,
    )
    assert [each.product_type for each in project.product_intents] == ["surveys"]
    assert (project.timezone, project.week_start_day) == (changes.timezone, changes.week_start_day)


def call_roles() -> None:
    api = sdk.RolesApi(client)
    body = sdk.RoleRequest(name="By openapi-generator")
    role = call(api.roles_create_with_http_info, organization_id=ORGANIZATION, role_request=body)
    assert isinstance(role, sdk.Role)
    assert role.created_by.email
    listed = call(api.roles_list_with_http_info, organization_id=ORGANIZATION, limit=1000)
    assert isinstance(listed, sdk.PaginatedRoleList)
    assert role in listed.results
    assert call(api.roles_retrieve_with_http_info, organization_id=ORGANIZATION, id=role.id) == role
    changes = sdk.PatchedRoleRequest(name="Renamed")
    renamed = call(
        api.roles_partial_update_with_http_info, organization_id=ORGANIZATION, id=role.id, patched_role_request=changes
    )
    assert (renamed.id, renamed.name) == (role.id, "Renamed")
    assert call(api.roles_destroy_with_http_info, organization_id=ORGANIZATION, id=role.id) is None
    error = call(api.roles_retrieve_with_http_info, organization_id=ORGANIZATION, id=role.id)
    assert isinstance(error, sdk.Error)
    assert (error.type, error.code, error.attr) == ("invalid_request", "not_found", None)


def call_annotations() -> None:
    api, when = sdk.AnnotationsApi(client), datetime(2026, 3, 1, 12, tzinfo=UTC)
    scope = sdk.AnnotationScopeEnum.ORGANIZATION
    body = sdk.AnnotationRequest(content="Launched", date_marker=when, scope=scope)
    annotation = call(api.annotations_create_with_http_info, project_id=PROJECT, annotation_request=body)
    assert isinstance(annotation, sdk.Annotation)
    assert (annotation.date_marker, annotation.scope, annotation.dashboard_name) == (when, scope, None)
    listed = call(api.annotations_list_with_http_info, project_id=PROJECT, search="Launched", limit=1)
    assert listed.results[0].id == annotation.id
    assert call(api.annotations_retrieve_with_http_info, id=annotation.id, project_id=PROJECT) == annotation
    changes = sdk.PatchedAnnotationRequest(content=None, deleted=True)
    changed = call(
        api.annotations_partial_update_with_http_info,
        id=annotation.id,
        project_id=PROJECT,
        patched_annotation_request=changes,
    )
    assert (changed.content, changed.deleted) == (None, True)
    assert call(api.annotations_destroy_with_http_info, id=annotation.id, project_id=PROJECT) is None


def call_cohorts() -> None:
    api = sdk.CohortsApi(client)
    value = {"type": "person", "key": "plan", "value": ["pro"], "operator": "exact"}
    filters = {"properties": {"type": "OR", "values": [{"type": "AND", "values": [value]}]}}
    body = sdk.CohortRequest(name="Payers", filters=filters)
    cohort = call(api.cohorts_create_with_http_info, project_id=PROJECT, cohort_request=body)
    assert isinstance(cohort, sdk.Cohort)
    assert (cohort.is_static, cohort.cohort_type, cohort.count) == (False, "realtime", None)
    assert cohort.id in {each.id for each in call(api.cohorts_list_with_http_info, project_id=PROJECT).results}


call_project_actions()
call_roles()
call_annotations()
call_cohorts()
