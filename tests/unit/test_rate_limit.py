"""The two limits: the bucket of requests, the blocks of methods, and the file that shares both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time as real_time
from pathlib import Path

import pytest

from b24tools.bitrix24.rate_limit import RateLimiter
from tests.support.http import START, FakeTime, reserve


def make(path: Path | None, time: FakeTime, *, per_second: float = 2.0, burst: float = 3) -> RateLimiter:
    return RateLimiter(path, per_second=per_second, burst=burst, clock=time.clock, sleep=time.sleep)


def test_a_burst_passes_and_then_the_rate_holds() -> None:
    """As the portal counts: one in for each request, `per_second` out."""
    time = FakeTime()
    rate_limiter = make(None, time)
    assert [reserve(rate_limiter) for _ in range(6)] == [0.0, 0.0, 0.0, 0.5, 0.5, 0.5]
    assert time.naps == [0.5, 0.5, 0.5]


def test_the_bucket_drains_while_nothing_is_sent() -> None:
    """A second is worth `per_second` requests, and an empty bucket does not get emptier."""
    time = FakeTime()
    rate_limiter = make(None, time)
    for _ in range(3):
        reserve(rate_limiter)
    time.now += 1
    assert [reserve(rate_limiter) for _ in range(3)] == [0.0, 0.0, 0.5]
    time.now += 3600
    assert [reserve(rate_limiter) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_a_place_is_taken_before_the_sleep() -> None:
    """Those who come while somebody sleeps queue behind him."""
    time = FakeTime()
    waits: list[float] = []
    rate_limiter = RateLimiter(None, per_second=2, burst=1, clock=time.clock, sleep=waits.append)
    for _ in range(4):
        reserve(rate_limiter)
    assert waits == [0.5, 1.0, 1.5]


def test_two_throttles_with_one_file_share_one_bucket(tmp_path: Path) -> None:
    """The portal counts the machine, not the process."""
    time, path = FakeTime(), tmp_path / "new" / "throttle.json"
    first, second = make(path, time), make(path, time)
    assert [reserve(first), reserve(second), reserve(first), reserve(second)] == [0.0, 0.0, 0.0, 0.5]


def test_a_full_bucket_slows_the_others_too(tmp_path: Path) -> None:
    """What one process learnt from a refusal holds for all."""
    time, path = FakeTime(), tmp_path / "throttle.json"
    make(path, time).mark_full()
    assert reserve(make(path, time)) == 0.5


def test_waits_are_told_before_they_are_slept() -> None:
    """So that a person knows why nothing happens."""
    time, told = FakeTime(), list[float]()
    rate_limiter = make(None, time, burst=1)
    reserve(rate_limiter, told.append)
    reserve(rate_limiter, told.append)
    assert told == [0.5]


def test_a_parked_method_is_parked_for_all_until_its_time(tmp_path: Path) -> None:
    """By its name in any case; the others are free."""
    time, path = FakeTime(), tmp_path / "throttle.json"
    first, second = make(path, time), make(path, time)
    first.learn({"Tasks.Task.List": START + 20})
    assert (second.reset_of("tasks.task.list"), second.blocked(["tasks.task.list"])) == (START + 20, {})
    first.block_method("tasks.task.list", START + 20)
    assert second.blocked(["tasks.task.LIST", "user.get"]) == {"tasks.task.LIST": START + 20}
    time.now += 20
    assert (second.blocked(["tasks.task.list"]), second.reset_of("tasks.task.list")) == ({}, None)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\x00\xff\xfe",
        b"{",
        b"[]",
        b'"x"',
        b"[" * 100_000,
        b'{"version": 2, "level": 100, "at": 0}',
        b'{"version": 1}',
        b'{"version": 1, "level": "many", "at": 1}',
        b'{"version": 1, "level": NaN, "at": 1}',
        b'{"version": 1, "level": true, "at": 1}',
        b'{"version": 1, "level": 1' + b"0" * 400 + b', "at": 1}',
        b'{"version": 1, "level": 0, "at": 1, "resets": [], "parked": {"user.get": "soon"}}',
    ],
)
def test_a_broken_or_foreign_file_is_a_fresh_start(tmp_path: Path, text: bytes) -> None:
    """A file is never a reason to stop."""
    time, path = FakeTime(), tmp_path / "throttle.json"
    path.write_bytes(text)
    rate_limiter = make(path, time)
    assert (
        rate_limiter.blocked(["user.get"]),
        [reserve(rate_limiter) for _ in range(4)],
    ) == ({}, [0.0, 0.0, 0.0, 0.5])
    assert json.loads(path.read_bytes())["version"] == 1


def test_a_clock_set_back_drains_nothing_and_stops_nobody(tmp_path: Path) -> None:
    """The bucket keeps its level and goes on from the new time."""
    time = FakeTime()
    rate_limiter = make(tmp_path / "throttle.json", time)
    for _ in range(3):
        reserve(rate_limiter)
    time.now -= 86_400
    assert reserve(rate_limiter) == 0.5
    time.now += 1.5
    assert [reserve(rate_limiter) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_a_file_from_the_far_future_blocks_nobody(tmp_path: Path) -> None:
    """Written while a clock was wrong: no wait of years, neither for the rate nor for a method."""
    time, path = FakeTime(), tmp_path / "throttle.json"
    future = START + 10**9
    path.write_text(
        json.dumps({"version": 1, "level": 1e12, "at": future, "parked": {"user.get": future}, "resets": {}})
    )
    rate_limiter = make(path, time)
    assert (rate_limiter.blocked(["user.get"]), reserve(rate_limiter)) == ({}, 50.5)


def test_a_folder_that_cannot_be_written_leaves_the_limits_to_the_process(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Told once, in the debug log."""
    caplog.set_level("DEBUG", "b24tools")
    (tmp_path / "file").write_text("not a folder")
    time = FakeTime()
    rate_limiter = make(tmp_path / "file" / "throttle.json", time)
    assert rate_limiter.blocked(["user.get"]) == {}
    assert [reserve(rate_limiter) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    rate_limiter.block_method("user.get", time.now + 20)
    assert rate_limiter.blocked(["user.get"]) == {"user.get": time.now + 20}
    ours = [record.getMessage() for record in caplog.records if record.name == "b24tools"]
    assert (len(ours), ours[0].startswith("the rate limit is not shared with other processes: ")) == (1, True)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_that_can_only_be_read_is_where_the_process_begins(tmp_path: Path) -> None:
    """From then on its own requests count."""
    time, path = FakeTime(), tmp_path / "throttle.json"
    make(path, time).block_method("user.get", START + 20)
    path.chmod(0o400)
    rate_limiter = make(path, time)
    assert rate_limiter.blocked(["user.get"]) == {"user.get": START + 20}
    waits: list[float] = []
    assert [rate_limiter.acquire("profile", waits.append) for _ in range(4)] == 4 * [None]
    assert waits == [0.5]
    rate_limiter.block_method("task.get", START + 30)
    assert rate_limiter.blocked(["user.get", "task.get"]) == {"user.get": START + 20, "task.get": START + 30}


@pytest.mark.parametrize(("per_second", "burst"), [(0, 50), (-1, 50), (2, 0)])
def test_a_rate_that_lets_nothing_through_is_refused(per_second: float, burst: float) -> None:
    """It would wait for ever."""
    with pytest.raises(ValueError, match="per_second"):
        RateLimiter(None, per_second=per_second, burst=burst)


PROCESS = """
import sys, time
from pathlib import Path
from b24tools.bitrix24.rate_limit import RateLimiter

rate_limiter = RateLimiter(Path(sys.argv[1]), per_second=40, burst=10)
for _ in range(25):
    rate_limiter.acquire("user.get")
    print(time.time())
"""


@pytest.mark.long
def test_several_processes_keep_the_common_rate(tmp_path: Path) -> None:
    """Four at once: in no stretch of time more requests than the bucket of the portal lets pass."""
    root = Path(__file__).parent.parent.parent
    command = [sys.executable, "-c", PROCESS, str(tmp_path / "throttle.json")]
    began = real_time.time()
    running = [subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    sent = sorted(float(line) for process in running for line in process.communicate()[0].split())
    assert (len(sent), [process.returncode for process in running]) == (100, [0] * 4)
    assert sent[-1] - began >= 90 / 40
    for first in range(100):
        for last in range(first + 1, 100):
            allowed = 10 + 40 * (sent[last] - sent[first]) + 4  # a process may be held up after its sleep
            assert last - first + 1 <= allowed
