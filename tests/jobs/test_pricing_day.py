"""The day on which prices are set, and the clock that says which day is today."""

import json
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from omegaconf import OmegaConf

from gpu_pricer.errors import InputError
from gpu_pricer.jobs.pricing_day import preparation_day, pricing_day, today

EAST, WEST = "Etc/GMT-14", "Etc/GMT+12"  # 26 hours apart


def config(folder, day=None, **data):
    return OmegaConf.create({"day": day, "data": data, "paths": {"catalog": str(folder / "products.parquet")}})


@pytest.mark.parametrize("zone", [EAST, WEST, "Europe/Berlin", "UTC"])
def test_today_is_the_day_in_the_time_zone(zone):
    before, found, after = datetime.now(ZoneInfo(zone)).date(), today(zone), datetime.now(ZoneInfo(zone)).date()

    assert before <= found <= after


def test_without_a_time_zone_the_clock_of_the_machine_counts():
    assert abs(today(None) - datetime.now(UTC).date()) <= timedelta(1)
    assert today(EAST) > today(WEST)


def test_later_jobs_know_the_time_zone_that_prepare_was_told(tmp_path):
    assert pricing_day(config(tmp_path)) == today(None)
    for zone in (EAST, WEST):
        (tmp_path / "summary.json").write_text(json.dumps({"time_zone": zone}))

        assert pricing_day(config(tmp_path)) == preparation_day(config(tmp_path, time_zone=zone)) == today(zone)


def test_a_day_that_is_configured_counts(tmp_path):
    assert pricing_day(config(tmp_path, "2026-11-26")) == date(2026, 11, 26)
    assert preparation_day(config(tmp_path, "2026-11-26", time_zone=EAST)) == date(2026, 11, 26)


@pytest.mark.parametrize("setting", ["0001-01-01", "9999-12-31", "tonight"])
def test_day_that_no_price_is_set_on_is_refused(tmp_path, setting):
    with pytest.raises(InputError, match=f"day must .* found '?{setting}"):
        pricing_day(config(tmp_path, setting))
