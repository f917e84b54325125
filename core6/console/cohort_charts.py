"""The charts of a cohort: its members over time and the seconds of its calculations, failures marked."""

from collections.abc import Sequence
from typing import Final

from cohorts.models import Calculation, Cohort
from core6.console.charts import BLUE, GREEN, RED, Chart, Series

_SHOWN: Final = 100


def charts(cohort: Cohort) -> list[Chart]:
    """Return the charts of the latest calculations; none without any."""
    newest = Calculation.objects.filter(cohort=cohort).order_by("-started_at", "-id").defer("queries", "filters")
    runs = list(reversed(newest[:_SHOWN]))
    return [_members(runs), _seconds(runs)] if runs else []


def _members(runs: Sequence[Calculation]) -> Chart:
    counts = [None if run.error else run.count for run in runs]
    known = [count for count in counts if count is not None]
    marks: list[int | None] = []
    last = 0
    for run, count in zip(runs, counts, strict=True):
        last = count if count is not None else last
        marks.append(last if run.error else None)
    sentence = f"{_range(known)}; {_outcome(len(runs), sum(mark is not None for mark in marks))}."
    series = [Series("members", counts, BLUE), Series("failed", marks, RED, is_mark=True)]
    return Chart("line", "Members over time", sentence, _labels(runs), series)


def _range(counts: Sequence[int]) -> str:
    """Return in words how many members there were."""
    if not counts:
        return "No members were computed"
    low, high = min(counts), max(counts)
    if low == high:
        return f"{low:,} member{'' if low == 1 else 's'}"
    return f"{low:,} to {high:,} members, now {counts[-1]:,}"


def _outcome(runs: int, failures: int) -> str:
    """Return in words how many of the latest calculations failed."""
    if runs == 1:
        return "the only calculation failed" if failures else "one calculation"
    return f"{failures} of the latest {runs} calculations failed"


def _seconds(runs: Sequence[Calculation]) -> Chart:
    seconds = [
        round((run.finished_at - run.started_at).total_seconds(), 3) if run.finished_at else None for run in runs
    ]
    known = [each for each in seconds if each is not None]
    sentence = f"At most {max(known):g} s, the latest {known[-1]:g} s." if known else "No calculation has ended."
    colors = [RED if run.error else GREEN for run in runs]
    series = [Series("computed", seconds, GREEN, colors=colors), Series("failed", [None] * len(runs), RED)]
    return Chart("bar", "Seconds of each calculation", sentence, _labels(runs), series, unit="s")


def _labels(runs: Sequence[Calculation]) -> list[str]:
    return [f"{run.started_at:%m-%d %H:%M}" for run in runs]
