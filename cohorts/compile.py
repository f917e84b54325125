"""Criteria to ONE parametrised SQL statement that selects the persons of a project who meet them.

Every set that a criterion names, of those who did something or who are in a cohort, is joined once to the persons;
the criteria themselves are a condition on the joined row. So negation is set algebra, and nothing depends on how
deeply it is nested.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from cohorts.behavior import did
from cohorts.criteria import BehavioralFilter, CohortFilter, Criteria, Group, Node, PersonFilter, leaves
from cohorts.properties import CompileError, condition, text_of, values_of
from cohorts.sql import FALSE, Sql, all_of, any_of, negate

#: What Postgres plans in seconds: its planner's time grows with the square of the joined sets.
_MOST_SETS: Final = 1000
#: What a statement of the extended protocol can bind is 65,535.
_MOST_VALUES: Final = 60_000


class TooLarge(CompileError):
    """The criteria are more than one statement can hold."""

    code = "query_size"


class NoCriteria(CompileError):
    """There is nothing to meet: the cohort has no members, and that is no failure (contract/cohorts.md 5.3)."""

    code = "no_properties"
    message = "Cohort has no properties defined"


def compile_criteria(criteria: Criteria, *, project_id: int, now: datetime, cohorts: Collection[int]) -> Sql:
    """Return `SELECT uuid` of the persons who meet the criteria at the time `now`.

    `cohorts` are the ids of the project's cohorts that are not deleted: every other one matches nobody. Raises
    CompileError for what means nothing, such as only negated criteria (2.6), NoCriteria for an empty tree, TooLarge.
    """
    root = criteria.properties
    if not root.values:
        raise NoCriteria
    if _is_negated(root):
        raise CompileError("Top level condition cannot be negated")
    compiler = _Compiler(project_id, now, cohorts)
    where = compiler.node(root)
    joins = "".join(f" LEFT JOIN {join.text}" for join in compiler.joins)
    values = (*(value for join in compiler.joins for value in join.values), project_id, *where.values)
    if len(compiler.joins) > _MOST_SETS or len(values) > _MOST_VALUES:
        raise TooLarge(f"{len(compiler.joins)} sets of persons and {len(values)} values are too many for one statement")
    return Sql(f"SELECT p.uuid FROM analytics_person p{joins} WHERE p.project_id = %s AND ({where.text})", values)


def _is_negated(node: Node) -> bool:
    """Tell whether a node stands for everybody but some (2.6); raises CompileError for an empty group."""
    if not isinstance(node, Group):
        return node.negation
    if not node.values:
        raise CompileError("A group of conditions cannot be empty")
    return (all if node.type == "AND" else any)([_is_negated(child) for child in node.values])


class _Compiler:
    def __init__(self, project_id: int, now: datetime, cohorts: Collection[int]) -> None:
        self.joins: list[Sql] = []
        self._project_id = project_id
        self._now = now
        self._cohorts = cohorts

    def node(self, node: Node) -> Sql:
        """Return the condition of a node on a person and what is joined to her."""
        if isinstance(node, Group):
            return (all_of if node.type == "AND" else any_of)([self.node(child) for child in node.values])
        part = self._leaf(node)
        return negate(part) if node.negation else part

    def _leaf(self, leaf: PersonFilter | BehavioralFilter | CohortFilter) -> Sql:
        if isinstance(leaf, PersonFilter):
            return condition("p.properties", leaf.key, leaf.operator, leaf.value, self._now)
        if isinstance(leaf, BehavioralFilter):
            found = did(leaf, project_id=self._project_id, now=self._now)
            return self._joined(f"({found.text}) {{name}} ON {{name}}.person_uuid = p.uuid", found.values)
        if leaf.value not in self._cohorts:
            return FALSE
        return self._joined(
            "cohorts_cohortmember {name} ON {name}.project_id = %s AND {name}.cohort_id = %s"
            " AND {name}.person_uuid = p.uuid",
            (self._project_id, leaf.value),
        )

    def _joined(self, join: str, values: tuple[object, ...]) -> Sql:
        name = f"s{len(self.joins)}"
        self.joins.append(Sql(join.replace("{name}", name), values))
        return Sql(f"{name}.person_uuid IS NOT NULL")


def regular_expressions(criteria: Criteria) -> list[str]:
    """Return every pattern of the criteria, so that a bad one is found whoever is there to be matched."""
    found: list[str] = []
    for leaf in leaves(criteria.properties):
        filters = [leaf] if isinstance(leaf, PersonFilter) else getattr(leaf, "event_filters", None) or []
        for each in filters:
            if getattr(each, "operator", None) in ("regex", "not_regex"):
                found += [text_of(value) for value in values_of(each.value)]
    return found
