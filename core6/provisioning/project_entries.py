"""A project in a provisioning file: one type for each kind of mapping in it, with what its keys mean."""

from collections import Counter
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, field_validator, model_validator

from annotations.models import Annotation
from cohorts.models import Cohort
from core6.analytics.models import Dashboard, GroupType, Insight
from core6.analytics.record_values import BadRecord
from core6.analytics.records import moment
from core6.database import timestamps
from core6.provisioning.columns import Column, several
from core6.provisioning.criteria import Filters, check_filters
from core6.provisioning.entry import CREATOR, Entry
from core6.provisioning.errors import Flaw
from core6.provisioning.records import TIME, Records
from projects.models import Project

#: A text that is found again: the API strips it, too.
_KEY: Final = StringConstraints(strip_whitespace=True, min_length=1)


class DashboardEntry(Entry):
    """A dashboard, found by name."""

    name: Annotated[str, Column(Dashboard, "name")] = Field(description="The name.")


class InsightEntry(Entry):
    """An insight, found by name."""

    name: Annotated[str, Column(Insight, "name")] = Field(description="The name.")
    derived_name: Annotated[str | None, Column(Insight, "derived_name")] = Field(
        None, description="The generated name."
    )


class GroupTypeEntry(Entry):
    """A group type, found by its name. A new one gets the next index; a project has at most five."""

    group_type: Annotated[str, Column(GroupType, "group_type")] = Field(description="The name, such as `company`.")
    name_singular: Annotated[str | None, Column(GroupType, "name_singular")] = Field(
        None, description="What one group is called."
    )
    name_plural: Annotated[str | None, Column(GroupType, "name_plural")] = Field(
        None, description="What several groups are called."
    )


class CohortEntry(Entry):
    """A cohort, found by name. A dynamic one is computed by the job worker, a static one has the members given here."""

    name: Annotated[str, _KEY, Column(Cohort, "name")] = Field(description="The name.")
    description: Annotated[str, Column(Cohort, "description")] = Field("", description="The description.")
    filters: Filters = Field(
        None,
        description="The criteria, as in the API; where they refer to another cohort, `value` may be its name.",
    )
    query: dict[str, Any] | None = Field(None, description="For a static cohort, an ActorsQuery of its members.")
    is_static: bool = Field(False, description="Whether the members are a fixed list and not computed.")
    members: list[str] = Field([], description="For a static cohort, distinct ids of persons to add.")
    created_by: str | None = Field(None, description=CREATOR)

    @model_validator(mode="after")
    def is_static_or_dynamic(self) -> Self:
        if self.members and not self.is_static:
            raise several([Flaw(("members",), "only a static cohort is given its members: add is_static: true")])
        if self.filters is not None and not self.is_static:
            check_filters(self.filters)
        return self


def _checked_moment(value: Any) -> Any:
    if value is None:
        return None
    try:
        moment(value, "date_marker", timestamps.now())
    except BadRecord as error:
        raise ValueError(error.why) from error
    return value


class AnnotationEntry(Entry):
    """An annotation, found by content and `date_marker`; by content alone if `date_marker` is relative to now."""

    content: Annotated[str, _KEY, Column(Annotation, "content")] = Field(description="The text.")
    date_marker: Annotated[Any, AfterValidator(_checked_moment)] = Field(
        None,
        description=f"The point in time that it marks, {TIME}.",
        json_schema_extra={"type": ["string", "null"]},
    )
    scope: Literal["dashboard_item", "dashboard", "project", "organization"] = Field(
        "project",
        description="Where it is shown: on its insight, on its dashboard, in the project, in the organization.",
    )
    creation_type: Annotated[str, Column(Annotation, "creation_type")] = Field(
        "USR", description="Who made it: a user, or a bot that announces releases."
    )
    dashboard: str | None = Field(None, description="The name of the dashboard on which it is shown.")
    insight: str | None = Field(None, description="The name of the insight on which it is shown.")
    created_by: str | None = Field(None, description=CREATOR)

    @property
    def is_relative(self) -> bool:
        """Whether `date_marker` is relative to now."""
        return isinstance(self.date_marker, str) and self.date_marker.startswith("-")


class ProjectEntry(Entry):
    """A project, found by name in its organization. It may also have every writable field of a project of the API."""

    model_config = ConfigDict(extra="allow", strict=True)

    name: Annotated[str, Column(Project, "name")] = Field(description="The name.")
    api_token: Annotated[str, Column(Project, "api_token")] = Field(
        default_factory=str, pattern=r"^phc_\S+$", description="The public token. Generated if absent."
    )
    dashboards: list[DashboardEntry] = Field([], description="The dashboards.")
    insights: list[InsightEntry] = Field([], description="The insights.")
    group_types: list[GroupTypeEntry] = Field([], description="The types of groups.")
    persons: Records = Field([], description="The persons: a list, or the path of an NDJSON file.")
    events: Records = Field([], description="The events: a list, or the path of an NDJSON file.")
    cohorts: list[CohortEntry] = Field([], description="The cohorts; one that refers to another stands after it.")
    annotations: list[AnnotationEntry] = Field([], description="The annotations.")

    @field_validator("annotations")
    @classmethod
    def differ(cls, value: list[AnnotationEntry]) -> list[AnnotationEntry]:
        counts = Counter(each.content for each in value)
        same = [index for index, each in enumerate(value) if each.is_relative and counts[each.content] > 1]
        if same:
            message = "another annotation has this content: give all of them a date_marker that is not relative"
            raise several(Flaw((index, "content"), message) for index in same)
        return value
