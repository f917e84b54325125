"""Creation of projects with their defaults, and onboarding of products."""

from collections.abc import Mapping
from typing import Any, Final

from django.db import transaction
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied

from core6.accounts.models import Organization, User
from core6.analytics.models import Dashboard
from core6.api.errors import ErrorSerializer
from core6.api.exceptions import LegacyFieldError
from core6.database import timestamps
from core6.database.timestamps import with_timestamps
from projects.activity import log_created
from projects.demo import has_demo_project, request_demo_data
from projects.models import ProductIntent, Project

PRODUCTS: Final = (
    *("cohorts", "actions", "alerts", "experiments", "feature_flags", "annotations", "comments", "history"),
    *("heatmaps", "ingestion_warnings", "persons", "surveys", "session_replay", "mobile_replay", "data_warehouse"),
    *("data_warehouse_saved_queries", "early_access_features", "user_interviews", "product_analytics"),
    *("pipeline_transformations", "pipeline_destinations", "site_apps", "group_analytics", "integrations"),
    *("platform_and_support", "teams", "web_analytics", "error_tracking", "revenue_analytics"),
    *("marketing_analytics", "llm_analytics", "max", "links", "endpoints"),
    *("logs", "conversations", "workflows", "product_tours"),
)
#: The most different contexts that are counted, since they are texts of clients; further ones are ignored.
MOST_CONTEXTS: Final = 200
ONE_DEMO: Final = (
    "You have reached the maximum limit of allowed projects for your current plan."
    " Upgrade your plan to be able to create and manage more projects."
)
_PUBLIC_MAIL = frozenset(
    """
    gmail.com googlemail.com outlook.com hotmail.com live.com msn.com yahoo.com ymail.com icloud.com me.com mac.com
    aol.com gmx.com gmx.de gmx.net web.de mail.com mail.ru yandex.ru yandex.com proton.me protonmail.com pm.me
    zoho.com fastmail.com hey.com tutanota.com qq.com 163.com 126.com
    """.split()
)


def create_project(*, organization: Organization, user: User | None, **fields: Any) -> Project:
    """Create a project with filters of test accounts and a primary dashboard, in one transaction.

    A demo project is filled by a job instead; a second one in the organization raises PermissionDenied. The project
    becomes the current one of the user. `fields` are valid values of the model.
    """
    with transaction.atomic():
        if fields.get("is_demo") and has_demo_project(organization):
            raise PermissionDenied(ONE_DEMO)
        project = Project(organization=organization, **fields)
        project.test_account_filters = own_account_filters(organization)
        project.save(force_insert=True)
        if project.is_demo:
            request_demo_data(project)
        else:
            project.primary_dashboard = Dashboard.objects.create(project=project, name="My App Dashboard")
            project.save(update_fields=["primary_dashboard"])
        if user:
            User.objects.filter(pk=user.pk).update(current_project=project, current_organization=organization)
        log_created(project, user)
    return project


def own_account_filters(organization: Organization) -> list[dict[str, str]]:
    """Return filters that exclude the organization's own users."""
    emails = organization.memberships.order_by("joined_at", "pk").values_list("user__email", flat=True)
    domains = (email.rpartition("@")[2].lower() for email in emails)
    own = next((domain for domain in domains if domain not in _PUBLIC_MAIL), None)
    people = [{"key": "email", "operator": "not_icontains", "value": f"@{own}", "type": "person"}] if own else []
    local = r"^(localhost|127\.0\.0\.1)($|:)"
    return [*people, {"key": "$host", "operator": "not_regex", "value": local, "type": "event"}]


class OnboardingSerializer(serializers.Serializer[Any]):
    """The fields of `complete_product_onboarding` in addition to those of the project (D4, D33, D64)."""

    product_type = serializers.ChoiceField(
        choices=PRODUCTS, required=False, help_text="Product whose onboarding is complete."
    )
    intent_context = serializers.CharField(
        max_length=200, allow_blank=True, required=False, help_text="Where the product was chosen."
    )
    metadata = serializers.DictField(required=False, help_text="Accepted and ignored.")

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping) and "product_type" in data:
            check_product_type(data["product_type"])
        return super().to_internal_value(data)


class OnboardingErrorSerializer(ErrorSerializer):
    """An error. If `product_type` is invalid, it has the additional key `error`."""

    # As the real service writes it (D33).
    error = serializers.CharField(
        required=False, help_text="Error message about `product_type`. Present only if `attr` is `product_type`."
    )


def check_product_type(value: Any) -> None:
    """Refuse a missing or unknown product; raises LegacyFieldError."""
    if value in (None, ""):
        raise LegacyFieldError(
            "product_type", "This field is required.", code="required", error="product_type is required"
        )
    if value not in PRODUCTS:
        raise LegacyFieldError(
            "product_type",
            f'"{value}" is not a valid choice.',
            code="invalid_choice",
            error=f"invalid product_type, expected one of [{', '.join(PRODUCTS)}]",
        )


def complete_onboarding(project: Project, product_type: str, context: str | None) -> None:
    """Record a completed onboarding of a product in the locked project, and count its context."""
    intent, _ = ProductIntent.objects.get_or_create(project=project, product_type=product_type)
    # A text, since JSON has no null keys.
    counted = "null" if context is None else context
    if counted in intent.contexts or len(intent.contexts) < MOST_CONTEXTS:
        intent.contexts[counted] = intent.contexts.get(counted, 0) + 1
    intent.onboarding_completed_at = timestamps.now()
    intent.save(update_fields=with_timestamps(intent, ["contexts", "onboarding_completed_at"]))
