"""Both benchmarks, and the goal table at the end: `python -m tests.suites.benchmarks`."""

import json
import os
import platform
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from tests.suites.benchmarks import cohorts, load, web
from tests.suites.benchmarks.goals import Goal, table
from tests.suites.benchmarks.work import AIMS

#: What `--only` may name.
NAMES = (*dict.fromkeys(aim.work for aim in AIMS), "memory", "calculation")


def main() -> None:
    """Measure, print the table, and write the figures to a file."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short rounds and few persons: rough figures")
    parser.add_argument("--only", action="append", choices=NAMES, default=[], help="may be repeated")
    parser.add_argument("--json", type=Path, help="the figures, for machines")
    options = parser.parse_args()
    found: dict[str, Any] = {"cpus": os.cpu_count(), "python": platform.python_version()}
    goals: list[Goal] = []
    requests = set(options.only) - {"calculation"}
    if requests or not options.only:
        load.require()
        print("Requests: processor milliseconds a request (server + Postgres)")
        found["requests"], reached = web.measure(web.QUICK if options.quick else web.FULL, requests)
        goals += reached
    if "calculation" in options.only or not options.only:
        found["cohorts"] = cohorts.measure(100_000 if options.quick else 1_000_000)
        goals += cohorts.goals(found["cohorts"])
    print(f"\n{table(goals)}")
    if options.json:
        found["goals"] = [goal.as_json() for goal in goals]
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
