"""A worker that had no heartbeat for a while comes back, and finds that another has its calculation."""

from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone

from cohorts.calculation import run as calculation
from cohorts.models import Calculation, Cohort, CohortMember
from tests.conftest import Caller, Cast
from tests.support.cohorts.people import all_of, leaf, person


def create(cast: Cast, alice: Caller) -> Cohort:
    person(cast.web, name="a")
    body = {"name": "a", "filters": all_of(leaf("name", value="a"))}
    response = alice.post(f"/api/projects/{cast.web.pk}/cohorts/", body)
    assert response.status_code == 201, response.json()
    return Cohort.objects.get(pk=response.json()["id"])


def end_run() -> None:
    """End the run, as another worker does before it computes the cohort itself."""
    Calculation.objects.update(finished_at=timezone.now(), error_code="interrupted")


def is_untouched(cohort: Cohort) -> None:
    cohort.refresh_from_db()
    assert (cohort.is_calculating, cohort.version, cohort.count, cohort.errors_calculating) == (True, None, None, 0)
    assert not CohortMember.objects.exists()


def test_its_failure_is_none_of_the_cohort(cast: Cast, alice: Caller, monkeypatch: pytest.MonkeyPatch):
    cohort = create(cast, alice)

    def fail(*_: Any, **__: Any) -> None:
        end_run()
        raise IntegrityError("the other has put them in") from SameMember()

    monkeypatch.setattr(calculation, "compile_for_project", fail)
    calculation.calculate(cohort.pk)
    is_untouched(cohort)
    assert Calculation.objects.get().error_code == "interrupted"


class SameMember(Exception):
    sqlstate = "23505"


def test_a_finish_that_comes_late_changes_nothing(cast: Cast, alice: Caller, monkeypatch: pytest.MonkeyPatch):
    cohort = create(cast, alice)
    compile_for_project = calculation.compile_for_project

    def compile_late(*given: Any) -> Any:
        end_run()
        return compile_for_project(*given)

    monkeypatch.setattr(calculation, "compile_for_project", compile_late)
    calculation.calculate(cohort.pk)
    is_untouched(cohort)
    assert Calculation.objects.get().error_code == "interrupted"


@pytest.mark.parametrize("change", [{"deleted": True}, {"is_static": True}])
def test_a_run_that_was_broken_off_ends_though_nobody_computes_any_more(cast: Cast, alice: Caller, change: Any):
    cohort = create(cast, alice)
    Calculation.objects.create(cohort=cohort)
    Cohort.objects.filter(pk=cohort.pk).update(**change)
    calculation.calculate(cohort.pk)
    run = Calculation.objects.get()
    assert run.finished_at is not None
    assert run.error_code == "interrupted"
