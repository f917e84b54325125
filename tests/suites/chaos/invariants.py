"""What must hold after a fault: the answers that the clients got, compared with what the server says now."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.suites.chaos.clients import Call, Client, Crowd, Line, Outcome, numbers_below


@dataclass(frozen=True)
class Allowed:
    """What a fault excuses."""

    #: Connections may be lost: their process was killed.
    resets: bool = False
    #: The whole server was away: it could not even be reached.
    absence: bool = False
    #: The database was killed in the midst of commits: nobody knows what became of one that was answered by 503.
    doubtful_503: bool = False
    #: Connections may be lost, but none on which something was done: they were idle.
    only_idle_resets: bool = False


NOTHING = Allowed()


@dataclass
class Damage:
    """What broke, in sentences, and how many acknowledged writes were lost."""

    problems: list[str]
    lost: int = 0
    #: Answers of 503 whose write was kept all the same; excused where nobody could know.
    kept_503: int = 0


def pages(line: Line, path: str) -> Iterator[Any]:
    """Yield the rows of a list, page after page."""
    following: str | None = f"{path}?limit=1000"
    while following:
        call = line.call("GET", following)
        assert call.status == 200, str(call)
        yield from call.body["results"]
        following = call.body["next"] and call.body["next"].partition(line.address)[2]


def found(line: Line, path: str) -> Any:
    call = line.call("GET", path)
    assert call.status == 200, str(call)
    return call.body


def damage(crowd: Crowd, line: Line, allowed: Allowed) -> Damage:
    """Compare what every client knows with what is there; the queue must be idle."""
    result = Damage([])
    roles = Counter(row["name"] for row in pages(line, crowd.clients[0].roles)) if crowd.clients else Counter()
    for client in crowd.clients:
        known = client.known
        contents = Counter(row["content"] for row in pages(line, f"{client.at}/annotations/"))
        _compare("annotation", known.notes, contents, allowed, result)
        _compare("annotation with an Idempotency-Key", known.once, contents, allowed, result)
        _compare("role", known.roles, roles, allowed, result)
        _follow_counter(client, line, allowed, result)
        _follow_tokens(client, line, result)
        _look_at_static_cohort(client, line, allowed, result)
        _look_at_dynamic_cohort(client, line, allowed, result)
    result.problems += [f"answered {call}" for call in crowd.calls if not _is_fair(call, allowed)]
    result.problems += [f"lived not {call}" for call in crowd.prober.calls if not _is_alive(call, allowed)]
    return result


def _is_fair(call: Call, allowed: Allowed) -> bool:
    """Return whether a client may be answered so."""
    if call.status is None:
        return call.why != "timeout" and (allowed.resets or allowed.absence or allowed.only_idle_resets)
    if call.status == 503:
        return (call.retry_after or "").isdecimal()
    return call.status in (200, 201, 409)


def _is_alive(call: Call, allowed: Allowed) -> bool:
    if call.status is None:
        return allowed.absence or (allowed.resets and call.why != "timeout")
    return call.status == 200 and (call.seconds < 1 or allowed.absence)


def _compare(kind: str, outcomes: dict[str, Outcome], there: Counter[str], allowed: Allowed, result: Damage) -> None:
    for name, outcome in outcomes.items():
        times = there[name]
        if times > 1:
            result.problems.append(f"{kind} {name!r} is there {times} times")
        elif outcome is Outcome.KEPT and not times:
            result.lost += 1
            result.problems.append(f"{kind} {name!r} was acknowledged and is lost")
        elif outcome is Outcome.REFUSED and times:
            result.kept_503 += 1
            if not allowed.doubtful_503:
                result.problems.append(f"{kind} {name!r} was refused and is there")
        elif outcome is Outcome.UNKNOWN and times and allowed.only_idle_resets:
            result.problems.append(f"{kind} {name!r} was done and not answered")


def _is_possible(value: Any, outcomes: Iterable[tuple[Any, Outcome]], allowed: Allowed) -> bool:
    """Return whether a thing that had one value after the other may have this one in the end.

    The last that was acknowledged, or one whose outcome nobody knows: that may have come late.
    """
    last = None
    for each, outcome in outcomes:
        if outcome is Outcome.KEPT:
            last = each
        elif each == value and (outcome is Outcome.UNKNOWN or allowed.doubtful_503):
            return True
    return bool(value == last)


def _follow_counter(client: Client, line: Line, allowed: Allowed, result: Damage) -> None:
    content = found(line, f"{client.at}/annotations/{client.counter}/")["content"]
    if not _is_possible(int(content.rpartition(" ")[2]), client.known.counter, allowed):
        result.lost += 1
        result.problems.append(f"{content!r} after {client.known.counter[-5:]}")


def _follow_tokens(client: Client, line: Line, result: Damage) -> None:
    project = found(line, f"{client.at}/")
    for name, outcomes in (("api_token", client.known.api_tokens), ("secret_api_token", client.known.secret_tokens)):
        kept = [token for token, outcome in outcomes if outcome is Outcome.KEPT]
        if len(set(kept)) < len(kept):
            result.problems.append(f"{len(kept)} acknowledged changes of {name} gave {len(set(kept))} tokens")
        is_sure = all(outcome is Outcome.KEPT for _, outcome in outcomes)
        # The token of a change without an answer is known to nobody.
        if kept and project[name] != kept[-1] and (is_sure or project[name] in kept):
            result.lost += 1
            result.problems.append(f"the {name} of project {client.project} is not the last that was answered")


def _look_at_static_cohort(client: Client, line: Line, allowed: Allowed, result: Damage) -> None:
    path = f"{client.at}/cohorts/{client.static}/"
    there, outcomes = {row["id"] for row in pages(line, f"{path}persons/")}, client.known.members
    sure = {each for each, outcome in outcomes.items() if outcome is Outcome.KEPT}
    possible = {each for each, outcome in outcomes.items() if outcome is not Outcome.REFUSED or allowed.doubtful_503}
    if sure - there:
        result.lost += 1
        result.problems.append(f"{len(sure - there)} acknowledged members of cohort {client.static} are lost")
    if there - possible:
        result.problems.append(f"{len(there - possible)} refused members of cohort {client.static} are there")
    if found(line, path)["count"] != len(there):
        result.problems.append(f"cohort {client.static} counts others than its {len(there)} members")


def _look_at_dynamic_cohort(client: Client, line: Line, allowed: Allowed, result: Damage) -> None:
    path = f"{client.at}/cohorts/{client.dynamic}/"
    body = found(line, path)
    (limit,) = [each for each in range(len(client.persons)) if _limit(numbers_below(each)) == _limit(body["filters"])]
    if not _is_possible(limit, client.known.definitions, allowed):
        result.lost += 1
        result.problems.append(f"cohort {client.dynamic} has limit {limit} after {client.known.definitions[-5:]}")
    members = len(list(pages(line, f"{path}persons/")))
    state = (body["is_calculating"], body["errors_calculating"], body["count"], members)
    if state != (False, 0, limit, limit):
        result.problems.append(
            f"cohort {client.dynamic} of the first {limit}: calculating, errors, count, members {state}"
        )


def _limit(filters: Any) -> int:
    return int(filters["properties"]["values"][0]["values"][0]["value"])
