"""Plants that live on for days: promises, orders and loads agree with each other and with a walk over the minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.living import LivingPlant

MANY = 200


def live(seed: int, folder: Path, **measures: int) -> None:
    """Let a plant live; a failure can be run again by its seed."""
    plant = LivingPlant(seed, folder)
    plant.log.append(f"seed {seed}")
    plant.live(**measures)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2))])
def test_a_plant_that_lives_on_for_some_days(seed: int, tmp_path: Path) -> None:
    """Whatever happens to it."""
    live(seed, tmp_path / "data", days=3, events=6, orders_at_first=4)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1000, 1000 + MANY))
def test_plants_that_live_on_for_a_week(seed: int, tmp_path: Path) -> None:
    """Whatever happens to them."""
    live(seed, tmp_path / "data", days=7, events=8, orders_at_first=6)


@pytest.mark.parametrize("seed", [3000, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(3001, 3030))])
def test_plants_whose_days_become_days_off(seed: int, tmp_path: Path) -> None:
    """Every morning one of the next days does, after it was planned by."""
    live(seed, tmp_path / "data", days=4, events=6, orders_at_first=6, days_off=1)
