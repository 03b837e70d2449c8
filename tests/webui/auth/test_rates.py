"""Token buckets: bursts, refilling, clients apart, processes together."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from retrieval.library import Library
from tests.webui.api_checks import MULTIPART, SEARCH, problem
from webui.app import create_app
from webui.auth.rates import Bucket, MemoryLevels, RateLimits
from webui.problems import Problem


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def taken(bucket: Bucket, client: str, tries: int) -> int:
    """How many of so many requests get through."""
    through = 0
    for _ in range(tries):
        with suppress(Problem):
            bucket.take(client)
            through += 1
    return through


def test_a_burst_and_then_a_steady_rate() -> None:
    """Against the definition: a bucket of 3 tokens that gets one every two seconds."""
    clock = Clock()
    bucket = Bucket("pictures", burst=3, a_minute=30, levels=MemoryLevels(clock))
    tokens, allowed, expected = 3.0, [], []
    for step in range(400):
        clock.now += (step * 7 % 5) / 4
        tokens = min(3.0, tokens + (step * 7 % 5) / 4 / 2)
        expected.append(tokens >= 1 - 1e-9)
        tokens -= expected[-1]
        allowed.append(bool(taken(bucket, "192.0.2.1", 1)))
    assert allowed == expected
    assert 100 < sum(allowed) < 250


def test_the_wait_that_is_told_is_enough_and_not_too_long() -> None:
    clock = Clock()
    bucket = Bucket("pictures", burst=2, a_minute=6, levels=MemoryLevels(clock))
    bucket.take("192.0.2.1", 5)  # A request may hold more pictures than the bucket; the debt is waited for.
    with pytest.raises(Problem) as refused:
        bucket.take("192.0.2.1")
    assert (refused.value.status, refused.value.retry_after) == (429, 40)
    clock.now += 39
    assert taken(bucket, "192.0.2.1", 1) == 0
    clock.now += 1.001
    assert taken(bucket, "192.0.2.1", 2) == 1


def test_clients_do_not_share_a_bucket_but_the_addresses_of_one_do() -> None:
    bucket = Bucket("pictures", 2, 1, MemoryLevels(lambda: 0.0))
    assert [taken(bucket, client, 3) for client in ("192.0.2.1", "192.0.2.2", "2001:db8::1")] == [2, 2, 2]
    assert taken(bucket, "2001:db8::ffff:ffff:ffff:ffff", 1) == 0
    assert taken(bucket, "2001:db8:0:1::1", 1) == 1


def test_a_block_of_version_6_counts_as_well() -> None:
    """40 networks of one /48, as its subscriber may choose them, guess as much as four clients."""
    bucket = Bucket("logins", 5, 5, MemoryLevels(lambda: 0.0))
    assert sum(taken(bucket, f"2001:db8:7:{number:x}::1", 5) for number in range(40)) == 20
    assert taken(bucket, "2001:db8:8::1", 9) == 5


def test_an_address_of_version_4_is_the_same_in_the_form_of_version_6() -> None:
    bucket = Bucket("logins", 5, 5, MemoryLevels(lambda: 0.0))
    assert [taken(bucket, client, 9) for client in ("192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.2")] == [5, 0, 5]


def test_processes_share_buckets() -> None:
    bucket = Bucket("pictures", 10, 1, MemoryLevels(lambda: 0.0))
    child = os.fork()
    if child == 0:
        os._exit(taken(bucket, "192.0.2.1", 7))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert taken(bucket, "192.0.2.1", 7) == 3


@pytest.mark.parametrize("address", [SEARCH, "/"])
def test_picture_queries_of_one_client_are_limited(
    library: Library, captioner: Any, painted: Callable[..., bytes], eventually: Any, address: str
) -> None:
    client = create_app(library, lambda: captioner, rate_limits=RateLimits(lambda: 0.0)).test_client()
    eventually(lambda: client.get("/readyz").status_code == 200)

    def ask(**more: Any) -> Any:
        data = {"image": [(io.BytesIO(painted("red")), "x.png") for _ in range(10)]}
        return client.post(address, data=data, content_type=MULTIPART, **more)

    answers = [ask(environ_base={"REMOTE_ADDR": "192.0.2.7"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].headers["Retry-After"] == "1"
    if address == SEARCH:
        assert "your address" in problem(answers[-1], 429)
    assert ask().status_code == 200, "this machine's own programs may ask more"
