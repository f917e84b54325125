"""Reads or writes annotations by one call of the client of openapi-python-client; prints what the caller gets."""

import json
import os
from argparse import ArgumentParser
from typing import Any

import httpx
from core_6_client import AuthenticatedClient, models  # type: ignore[import-not-found]
from core_6_client.api.annotations import annotations_create, annotations_list  # type: ignore[import-not-found]

parser = ArgumentParser(description=__doc__)
parser.add_argument("--create", metavar="CONTENT", help="write this annotation; else they are read")
parser.add_argument("--timeout", type=float, help="in seconds; else it is the client's own")
parser.add_argument("--idempotency-key")
options = parser.parse_args()
given = {} if options.timeout is None else {"timeout": httpx.Timeout(options.timeout)}
client = AuthenticatedClient(
    base_url=os.environ["CORE6_URL"],
    token=os.environ["POSTHOG_PERSONAL_API_KEY"],
    raise_on_unexpected_status=True,
    **given,
)
if options.idempotency_key:
    client = client.with_headers({"Idempotency-Key": options.idempotency_key})
project = os.environ["CORE6_PROJECT"]
result: dict[str, Any]
try:
    if options.create:
        body = models.AnnotationRequest(content=options.create, scope="project")
        answer = annotations_create.sync_detailed(project, client=client, body=body)
    else:
        answer = annotations_list.sync_detailed(project, client=client, limit=1000)
except httpx.HTTPError as error:
    result = {"raised": type(error).__name__, "message": str(error)}
else:
    rows = getattr(answer.parsed, "results", [answer.parsed])
    result = {
        "status": int(answer.status_code),
        "parsed": type(answer.parsed).__name__,
        "contents": [row.content for row in rows if isinstance(row, models.Annotation)],
        "headers": dict(answer.headers),
    }
print(json.dumps(result))  # noqa: T201  # the test reads it
