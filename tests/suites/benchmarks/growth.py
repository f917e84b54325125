"""How the cost of a request grows with everything else that is stored: `python -m tests.suites.benchmarks.growth`."""

from argparse import ArgumentParser
from itertools import pairwise

from psycopg.sql import SQL, Literal

from tests.suites.benchmarks import load, web
from tests.suites.benchmarks.data import World, fill, steady
from tests.suites.benchmarks.servers import WORKERS, ours
from tests.suites.benchmarks.work import MIDDLE, Lane, numbers
from tests.support.places import connect, place
from tests.support.serving import Serve, serving

#: Organizations with a project, a user, a membership and a key each.
_OTHERS = """
WITH organization AS (
    INSERT INTO accounts_organization (id, name, created_at)
    SELECT gen_random_uuid(), 'Other ' || i, now() FROM generate_series({first}, {last}) i RETURNING id
), numbered AS (
    SELECT id, row_number() OVER () + {first} - 1 AS i FROM organization
), project AS (
    INSERT INTO projects_project
    SELECT (jsonb_populate_record(p.one, jsonb_build_object('id', {base} + n.i, 'uuid', gen_random_uuid(),
        'organization_id', n.id, 'api_token', 'other ' || n.i))).* FROM numbered n,
        (SELECT t AS one FROM projects_project t ORDER BY id LIMIT 1) p RETURNING 1
), person AS (
    INSERT INTO accounts_user
    SELECT (jsonb_populate_record(u.one, jsonb_build_object('id', {base} + n.i, 'uuid', gen_random_uuid(),
        'email', n.i || '@other.example', 'distinct_id', 'other ' || n.i,
        'current_project_id', NULL, 'current_organization_id', NULL))).* FROM numbered n,
        (SELECT t AS one FROM accounts_user t ORDER BY id LIMIT 1) u RETURNING 1
), member AS (
    INSERT INTO accounts_membership (id, organization_id, user_id, level, joined_at, updated_at)
    SELECT gen_random_uuid(), n.id, {base} + n.i, 15, now(), now() FROM numbered n RETURNING 1
)
INSERT INTO accounts_personalapikey
SELECT (jsonb_populate_record(k.one, jsonb_build_object('id', 'other ' || n.i, 'user_id', {base} + n.i,
    'secure_value', 'sha256$' || encode(sha256(n.i::text::bytea), 'hex')))).* FROM numbered n,
    (SELECT t AS one FROM accounts_personalapikey t ORDER BY id LIMIT 1) k
"""
_BASE = 1_000_000
_ANNOTATIONS = """
INSERT INTO annotations_annotation
SELECT (jsonb_populate_record(a.one, jsonb_build_object('id', {base} + i,
    'date_marker', (a.one).date_marker - i * interval '1 s'))).*
FROM generate_series({first}, {last}) i,
    (SELECT t AS one FROM annotations_annotation t WHERE project_id = {project} LIMIT 1) a
"""


def main() -> None:
    """Measure some requests while ever more is stored, and print a line for each size."""
    ArgumentParser(description=__doc__).parse_args()
    load.require()
    options = ("--no-worker", "--workers", str(WORKERS))
    with place() as directory, serving(directory / "data", *options) as server:
        world = fill(server)
        bench = web.Bench(server.directory, world, {"core6": ours(server)}, web.FULL)
        project = f"/api/projects/{world.project}/"
        lanes = {
            "another page": Lane("core6", "core6", f"{project}annotations/?limit=100&offset={{}}", numbers(0, 9799)),
            "retrieve": Lane("core6", "core6", f"{project}annotations/{world.annotation}/"),
            "roles": Lane("core6", "core6", f"/api/organizations/{world.organization}/roles/"),
        }
        print(f"{'stored':44}" + "".join(f"{name:>12}" for name in lanes) + "   (CPU ms a request, c=16)")
        for before, size in pairwise((0, 10, 1_000, 100_000)):
            _insert(server, _OTHERS, before, size)
            _show(f"{size:,} organizations, projects, users, keys", bench, lanes)
        for before, size in pairwise((10_000, 20_000, 100_000, 500_000)):
            _insert(server, _ANNOTATIONS, before, size, world)
            _show(f"{size:,} annotations in the project", bench, lanes)


def _insert(server: Serve, statement: str, first: int, last: int, world: World | None = None) -> None:
    values = {"first": first + 1, "last": last, "base": _BASE, "project": world.project if world else 0}
    with connect(server.directory) as connection:
        connection.execute(SQL(statement).format(**{name: Literal(value) for name, value in values.items()}))
    steady(server.directory)


def _show(stored: str, bench: web.Bench, lanes: dict[str, Lane]) -> None:
    figures = {}
    for name, lane in lanes.items():
        bench.measure_round(lane, MIDDLE, bench.pace.milliseconds)
        rounds = [bench.measure_round(lane, MIDDLE, bench.pace.milliseconds) for _ in range(3)]
        figures[name] = sorted(each.cpu_ms for each in rounds)[1]
    print(f"{stored:44}" + "".join(f"{each:12.2f}" for each in figures.values()), flush=True)


if __name__ == "__main__":
    main()
