"""Which statements on the people tables keep to one project, as they were sent: those can be routed by it."""

import re

from django.test.utils import CaptureQueriesContext

NUMBER = 987654321
#: A name that another one begins with comes after it.
TABLES = "analytics_personoverride|analytics_person|analytics_distinctid|analytics_event|cohorts_cohortmember"
REFERENCE = re.compile(rf'(FROM|JOIN|INTO|UPDATE)\s+"?({TABLES})"?(?:\s+(?!WHERE|ON|USING|SET)(?:AS\s+)?"?(\w+)"?)?')


def unbound(sql: str) -> list[str]:
    """Return the people tables of a statement whose rows need not be of the one project."""
    return [alias or table for word, table, alias in REFERENCE.findall(sql) if not is_bound(sql, word, table, alias)]


def is_bound(sql: str, word: str, table: str, alias: str) -> bool:
    if word == "INTO":
        # A row of another project would need another value.
        columns = rf'INTO "?{table}"? \("?project_id"?\b'
        first = rf"(?:VALUES \(|SELECT (?:DISTINCT )?)(?:(\w+)\.project_id|{NUMBER}\b)"
        found = re.search(rf"{columns}.*?{first}", sql, re.DOTALL)
        return found is not None and (found[1] is None or found[1] in bound(sql))
    if alias or f"{table}." in sql.replace('"', ""):
        return (alias or table) in bound(sql)
    return re.search(rf"(WHERE|AND) project_id = {NUMBER}\b", sql) is not None


def statements(queries: CaptureQueriesContext) -> list[str]:
    """Return those on the people tables; the record of a calculation holds the text of one as a value."""
    sent = [query["sql"] for query in queries if re.search(TABLES, query["sql"])]
    return [sql for sql in sent if not re.match(r'(UPDATE|INSERT INTO) "cohorts_(calculation|definition)"', sql)]


def bound(sql: str) -> set[str]:
    """Return the names of tables whose project is the one, said of them or of another that theirs equals."""
    plain = sql.replace('"', "")
    found = set(re.findall(rf"(\w+)\.project_id = \(?{NUMBER}\b", plain))
    for left, right in re.findall(r"(\w+)\.project_id = \(?(\w+)\.project_id", plain) * 3:
        if found & {left, right}:
            found |= {left, right}
    return found
