"""The service answers as /openapi.json says, and says there how it answers: the calls are made from it."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.python.asgi import get_client, shutdown_lifespans
from schemathesis.specs.openapi.schemas import OpenApiSchema

from service.app import build_app
from service.clips.models import TaskUUID
from service.runware.callbacks import CallbackURLs
from service.sandbox.server import Sandbox
from tests.harness import WEBHOOK_SECRET, sandbox_options, service_settings

AUTHORIZED = {"Authorization": "Bearer token-of-the-service"}
# For each call, with valid and with invalid data.
EXAMPLES = 20
# 422 also answers valid data that does not fit the project as it stands, such as a scene that it lacks.
TAKEN = ["2xx", "401", "404", "409", "410", "412", "416", "422", "502", "503"]
UUID_FORM = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CONFIG = {
    # Each call has the service's token, whatever was generated.
    "generation": {"with-security-parameters": False},
    "checks": {"positive_data_acceptance": {"expected-statuses": TAKEN}},
    # A stream goes on for as long as it is read.
    "max-stream-events": 1,
    "operations": [
        {
            "include-operation-id": "post_webhooks_runware",
            # A body of any form is read, and refused if it says nothing of the job.
            "checks": {"positive_data_acceptance": {"expected-statuses": [*TAKEN, "400"]}},
        }
    ],
}


@pytest.fixture
def described(tmp_path: Path) -> Iterator[OpenApiSchema]:
    """The document of a service in this process, whose Runware is a sandbox."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(
            Sandbox(sandbox_options(), files=tmp_path).serving(host="127.0.0.1", port=0)
        ) as sandbox_url,
    ):
        chosen = service_settings(
            sandbox_url,
            tmp_path / "clips.db",
            service_token="token-of-the-service",
            poll_interval_seconds=600,
        )
        app = build_app(chosen)
        try:
            config = SchemathesisConfig.from_dict(CONFIG)
            document = schemathesis.openapi.from_asgi("/openapi.json", app, config=config)
            know_projects(document, stored_projects(app, sandbox_url))
            know_callbacks(document, CallbackURLs("http://testserver", [WEBHOOK_SECRET]))
            yield document
        finally:
            shutdown_lifespans()


def stored_projects(app: Any, sandbox_url: str) -> Sequence[str]:
    pair = {f"{end}_frame": f"{sandbox_url}/frames/1/{end}.png?size=304x540" for end in ("first", "last")}
    with get_client(app) as client:
        return [
            client.post("/projects", json={"frames": {"1": pair}}, headers=AUTHORIZED).json()["id"]
            for _ in range(3)
        ]


def know_projects(document: OpenApiSchema, projects: Sequence[str]) -> None:
    """Have two calls of three be about a project that is there."""

    def with_known(values: Any) -> Any:
        named = str(values.get("project_id")) if isinstance(values, dict) else ""
        # What is no id must stay none.
        if not UUID_FORM.fullmatch(named):
            return values
        drawn = sum(named.encode()) % 9
        return {**values, "project_id": projects[drawn % 3]} if drawn > 2 else values

    @document.hook("map_path_parameters")
    def in_paths(_context: Any, parameters: Any) -> Any:
        return with_known(parameters)

    @document.hook("map_body")
    def in_bodies(_context: Any, body: Any) -> Any:
        return with_known(body)


def know_callbacks(document: OpenApiSchema, callbacks: CallbackURLs) -> None:
    """Have half of the webhooks come by the callback URL of a job."""
    job = TaskUUID("00000000-0000-4000-8000-000000000001")
    token = str(callbacks.url(job)).partition("token=")[2]

    @document.hook("map_query")
    def in_queries(_context: Any, query: Any) -> Any:
        if not isinstance(query, dict) or {*query} != {"job", "token"} or len(str(query["job"])) % 2:
            return query
        return {"job": job, "token": token}


def call_often(operation: Any, mode: GenerationMode) -> None:
    """Make calls of one kind, always the same ones. Raises FailureGroup."""

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        derandomize=True,
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def call(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(headers=AUTHORIZED)

    call()


# The library draws from `random`, which hypothesis seeds.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module")
@pytest.mark.parametrize("mode", GenerationMode)
def test_every_call_is_answered_as_described(described: OpenApiSchema, mode: GenerationMode) -> None:
    wrong: list[FailureGroup] = []
    read: list[Any] = list(described.get_all_operations())
    operations = [result.ok() for result in read]
    assert len(operations) > 20
    for operation in operations:
        try:
            call_often(operation, mode)
        except FailureGroup as failures:
            wrong.append(failures)
        except Unsatisfiable:
            # Of a call without parameters nothing is invalid.
            assert mode is GenerationMode.NEGATIVE, operation.label
    assert not wrong, "\n\n".join(map(str, wrong))
