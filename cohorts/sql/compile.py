"""Compiles criteria to ONE parametrised SQL statement that selects the persons of a project who meet them.

Each set of persons, by a behaviour or by a cohort, is joined once to the persons; the criteria are a condition on the
joined row. So a negation at any depth is only a NOT in that condition.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Final

from cohorts.criteria.dates import Clock
from cohorts.criteria.parse import BehavioralFilter, CohortFilter, Criteria, Group, Leaf, Node, PersonFilter, leaves
from cohorts.sql.behaviors import compile_behavior
from cohorts.sql.fragments import FALSE, Sql, all_of, any_of, negate
from cohorts.sql.properties import COMPARISONS_OF_NUMBERS, condition
from cohorts.sql.property_values import CompileError, InvalidExpression, Property, number_of, values_of

_MOST_EXPRESSIONS: Final = 20
#: Postgres can plan so many in seconds: its planning time grows with the square of the joined sets.
_MOST_SETS: Final = 1000
#: The extended query protocol can bind 65,535 values.
_MOST_VALUES: Final = 60_000


class TooLarge(CompileError):
    """The criteria are too large for one statement."""

    code = "query_size"


class NoCriteria(CompileError):
    """The criteria are empty: the cohort has no members, which is not a failure."""

    code = "no_properties"
    message = "Cohort has no properties defined"


def compile_criteria(
    criteria: Criteria, *, project_id: int, clock: Clock, cohorts: Collection[int], has_overrides: bool = False
) -> Sql:
    """Return `SELECT uuid` of the persons who meet the criteria now.

    `cohorts` are the ids of the project's cohorts that are not deleted: any other cohort matches nobody. With
    `has_overrides` events of merged persons are read through the table of overrides (E13). Raises CompileError for
    invalid criteria, such as negated ones only, NoCriteria for empty criteria, and TooLarge.
    """
    root = criteria.properties
    if not root.values:
        raise NoCriteria
    check_number_of_expressions(leaves(root))
    if _is_negated(root):
        raise CompileError("Top level condition cannot be negated")
    compiler = _Compiler(project_id, clock, cohorts, has_overrides=has_overrides)
    compiler.join_shared_numbers(root)
    where = compiler.node(root)
    sets, joins = compiler.sets, compiler.joins
    values = (*(value for part in (*sets, *joins) for value in part.values), project_id, *where.values)
    if len(joins) > _MOST_SETS or len(values) > _MOST_VALUES:
        raise TooLarge(f"{len(joins)} sets of persons and {len(values)} values are too many for one statement")
    joined = "".join(f" {join.text}" for join in joins)
    # CTEs are computed once; a subquery in a join would be computed again by each parallel worker.
    with_sets = f"WITH {', '.join(each.text for each in sets)} " if sets else ""
    return Sql(
        f"{with_sets}SELECT p.uuid FROM analytics_person p{joined} WHERE p.project_id = %s AND ({where.text})", values
    )


def _is_negated(node: Node) -> bool:
    """Return whether a node matches everybody with exceptions; raises CompileError for an empty group."""
    if not isinstance(node, Group):
        return node.negation
    if not node.values:
        raise CompileError("A group of conditions cannot be empty")
    return (all if node.type == "AND" else any)([_is_negated(child) for child in node.values])


class _Compiler:
    def __init__(self, project_id: int, clock: Clock, cohorts: Collection[int], *, has_overrides: bool) -> None:
        self.sets: list[Sql] = []
        self.joins: list[Sql] = []
        self._behaviors: dict[str, Sql] = {}
        self._properties: dict[str, Property] = {}
        self._project_id = project_id
        self._clock = clock
        self._cohorts = cohorts
        self._has_overrides = has_overrides

    def join_shared_numbers(self, root: Group) -> None:
        """Join properties that are compared as numbers several times, to read each only once from its JSON."""
        times: Counter[str] = Counter()
        for leaf in leaves(root):
            if isinstance(leaf, PersonFilter):
                times[leaf.key] += COMPARISONS_OF_NUMBERS.get(leaf.operator or "", 0)
        for index, key in enumerate(key for key, count in times.items() if count > 1):
            json, text = Sql(f"j{index}.json"), Sql(f"(j{index}.json #>> '{{}}')")
            number = number_of(text, json)
            # OFFSET 0 keeps Postgres from inlining the expressions into each comparison.
            self.joins.append(Sql(f"CROSS JOIN LATERAL (SELECT p.properties -> %s AS json OFFSET 0) j{index}", (key,)))
            self.joins.append(
                Sql(f"CROSS JOIN LATERAL (SELECT {number.text} AS number OFFSET 0) n{index}", number.values)
            )
            self._properties[key] = Property(text, json, Sql(f"n{index}.number"))

    def node(self, node: Node) -> Sql:
        """Return the condition of a node on the row of a person with the joined sets."""
        if isinstance(node, Group):
            return (all_of if node.type == "AND" else any_of)([self.node(child) for child in node.values])
        part = self._leaf(node)
        return negate(part) if node.negation else part

    def _leaf(self, leaf: PersonFilter | BehavioralFilter | CohortFilter) -> Sql:
        if isinstance(leaf, PersonFilter):
            prop = self._properties.get(leaf.key) or Property.of("p.properties", leaf.key)
            return condition(prop, leaf.operator, leaf.value, self._clock)
        if isinstance(leaf, BehavioralFilter):
            return self._behaved(
                compile_behavior(
                    leaf, project_id=self._project_id, clock=self._clock, has_overrides=self._has_overrides
                )
            )
        if leaf.value not in self._cohorts:
            return FALSE
        return self._joined(
            "cohorts_cohortmember {name} ON {name}.project_id = %s AND {name}.cohort_id = %s"
            " AND {name}.person_uuid = p.uuid",
            (self._project_id, leaf.value),
        )

    def _behaved(self, persons: Sql) -> Sql:
        """Return the condition that a person is in this set; equal sets are computed once."""
        if repr(persons) not in self._behaviors:
            name = f"b{len(self.sets)}"
            self.sets.append(Sql(f"{name} AS MATERIALIZED ({persons.text})", persons.values))
            self._behaviors[repr(persons)] = self._joined(f"{name} {{name}} ON {{name}}.person_uuid = p.uuid", ())
        return self._behaviors[repr(persons)]

    def _joined(self, join: str, values: tuple[object, ...]) -> Sql:
        name = f"s{len(self.joins)}"
        self.joins.append(Sql(f"LEFT JOIN {join}".replace("{name}", name), values))
        return Sql(f"{name}.person_uuid IS NOT NULL")


def check_number_of_expressions(found: Iterable[Leaf]) -> None:
    """Refuse too many regular expressions for one statement (D54); raises InvalidExpression."""
    count = 0
    for leaf in found:
        filters = [leaf] if isinstance(leaf, PersonFilter) else getattr(leaf, "event_filters", None) or []
        for each in filters:
            if getattr(each, "operator", None) in ("regex", "not_regex"):
                count += len(values_of(each.value))
    if count > _MOST_EXPRESSIONS:
        raise InvalidExpression(f"There are more than {_MOST_EXPRESSIONS} regular expressions: use fewer.")
