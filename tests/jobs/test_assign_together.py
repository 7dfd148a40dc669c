"""Real processes: killed without warning, or several at once on one data folder."""

from __future__ import annotations

import base64
import json
import os
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from b24tools.core import locks
from b24tools.onec.task_fields import make_key
from tests.support.crash import FOLDER
from tests.support.processes import Shop, end, open_shop, wait_for

LINES = (("Макетчик", 120), ("Сварщик", 60), ("Сварщик", 30), ("Монтажник", 90))
FILES = [{"Имя": name, "ДвоичныеДанные": base64.b64encode(name.encode()).decode()} for name in ("а.txt", "б.txt")]
REQUESTS = 7  # of a first send with two files, where the project is there


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """The plant on a port."""
    with open_shop(tmp_path) as opened:
        yield opened


def outcomes(printed: str) -> list[str]:
    """The outcomes of the orders that `--json` printed."""
    return [result["outcome"] for result in json.loads(printed)["data"]]


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2))
def test_killed_at_random_moments_it_ends_with_one_task_per_line(seed: int, shop: Shop) -> None:
    """Three times each order is killed within some milliseconds of a request, then left to run."""
    chance = random.Random(seed)
    file = shop.write_order(f"k{seed}", LINES, ПрисоединенныеФайлы=FILES)
    for _kill in range(3):
        before = len(shop.portal.log)
        number = chance.randrange(1, REQUESTS + 1)
        running = shop.start("assign", file)
        wait_for(lambda: len(shop.portal.log) >= before + number, running)  # noqa: B023 - called before they change
        time.sleep(chance.random() * 0.02)
        running.kill()
        end(running)
    assert (0, "") == end(shop.start("-q", "assign", file))[::2]
    lines = ("макетчик", "сварщик", "сварщик:2", "монтажник")
    assert {make_key(f"k{seed}", line): 1 for line in lines} == {
        key: len(people) for key, people in shop.made().items()
    }
    disk = shop.portal.disk
    (folder,) = [row for row in disk.objects.values() if row.name == FOLDER]
    files = sorted(row.id for row in disk.children(folder.id))
    ties = [
        sorted(disk.attachments[tie].object_id for tie in task.attachments) for task in shop.portal.tasks if task.xml_id
    ]
    assert (2, [files] * 4) == (len(files), ties)
    assert ["unchanged"] == outcomes(end(shop.start("assign", "--json", file))[1])


@pytest.mark.long
def test_two_at_once_give_the_work_to_two_free_people(shop: Shop) -> None:
    """The second one sees what the first one gave out, though they started together."""
    files = [shop.write_order(f"t{number}", [("Сварщик", 240)]) for number in range(2)]
    running = [shop.start("-q", "assign", file) for file in files]
    assert [(0, ""), (0, "")] == [end(process)[::2] for process in running]
    expected = {make_key(order_id, "сварщик"): 1 for order_id in ("t0", "t1")}
    assert expected == {key: len(people) for key, people in shop.made().items()}
    assert ["Исаев", "Лебедев"] == sorted(name for people in shop.made().values() for name in people)


@pytest.mark.long
def test_the_same_order_three_times_at_once_makes_one_set_of_tasks(shop: Shop) -> None:
    """One creates, the others find it done."""
    file = shop.write_order("s", LINES, ПрисоединенныеФайлы=FILES)
    running = [shop.start("assign", "--json", file) for _process in range(3)]
    ended = [end(process) for process in running]
    assert [0, 0, 0] == [status for status, _out, _err in ended]
    assert [["created"], ["unchanged"], ["unchanged"]] == sorted(outcomes(out) for _status, out, _err in ended)
    assert [1, 1, 1, 1] == [len(people) for people in shop.made().values()]


@pytest.mark.long
@pytest.mark.sqlite
def test_a_lock_that_is_held_ends_with_try_later_and_says_whose_it_is(shop: Shop) -> None:
    """Since when, in the configured zone; the portal was asked for nothing that concerns the order."""
    file = shop.write_order("l", LINES)
    since = datetime(2026, 11, 23, 4, tzinfo=UTC)
    with locks.hold(shop.folder / "data", "assign", 0, lambda: since):
        status, out, err = end(shop.start("assign", file, B24_RETRY_SECONDS="1"))
    expected = (
        f"another run of `b24tools assign` is at work: process {os.getpid()}, since {since.isoformat()}. "
        "Nothing was written; it is safe to try again when it has ended.\n"
    )
    assert (75, "", expected, []) == (status, out, err, shop.portal.writes())


@pytest.mark.long
@pytest.mark.sqlite
def test_waiting_for_the_lock_is_told(shop: Shop) -> None:
    """Before it is over, with the holder."""
    file = shop.write_order("w", LINES)
    since = datetime(2026, 11, 23, 4, tzinfo=UTC)
    with locks.hold(shop.folder / "data", "assign", 0, lambda: since):
        status, _out, err = end(shop.start("assign", file, B24_RETRY_SECONDS="1.2"))
    holder = f"process {os.getpid()}, since {since.isoformat()}"
    assert status == 75
    assert err.startswith(f"waiting for another run of `b24tools assign`: {holder}\nanother run of"), err


@pytest.mark.long
def test_a_process_that_was_killed_leaves_no_lock(shop: Shop) -> None:
    """The system releases it."""
    file = shop.write_order("d", [("Сварщик", 60)])
    running = shop.start("assign", file)
    wait_for(lambda: len(shop.portal.log) >= 2, running)
    running.kill()
    end(running)
    assert 0 == end(shop.start("-q", "assign", file, B24_RETRY_SECONDS="1"))[0]
