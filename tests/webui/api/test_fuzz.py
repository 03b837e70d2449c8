"""schemathesis reads the API's description and asks all that it allows, and much that it does not."""

from __future__ import annotations

import itertools
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from retrieval.library import Library
from webui.app import create_app
from webui.auth.rates import RateLimits
from webui.openapi.operations import describe

CASES = 600
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.mark.slow
def test_whatever_is_asked_the_answer_is_documented(library: Library, captioner: Any, eventually: Any) -> None:
    """No 5xx, no status and no media type that is not described, no JSON of another shape."""
    ticks = itertools.count()
    rate_limits = RateLimits(lambda: 60.0 * next(ticks))  # No client is too fast.
    app = create_app(library, lambda: captioner, rate_limits=rate_limits)
    eventually(lambda: app.test_client().get("/readyz").status_code == 200)
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    operations = [one.ok() for one in schema.get_all_operations()]
    described = sum(len(item) for item in describe(app)["paths"].values())
    assert len(operations) == described - 1, "all but the address of the description itself"
    open_ended = [one for one in operations if one.definition.raw.keys() & {"parameters", "requestBody"}]
    statuses: Counter[int] = Counter()
    for operation, mode in itertools.product(operations, GenerationMode):
        if operation in open_ended:
            ask_much(operation, mode, CASES * 5 // len(open_ended) // 9, statuses)
        elif mode is GenerationMode.POSITIVE:
            ask_much(operation, mode, 1, statuses)
    assert statuses.total() >= CASES
    assert {200, 400, 404} <= statuses.keys()


def ask_much(operation: Any, mode: GenerationMode, examples: int, statuses: Counter[int]) -> None:
    """Ask one operation so many times and check each answer."""

    @seed(0)
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Case) -> None:
        answer = case.call(headers={"Accept-Encoding": "identity"})  # The checks read the body as it is sent.
        statuses[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    with suppress(Unsatisfiable):  # Where any text will do as a path, nothing can be asked that is not allowed.
        ask()
