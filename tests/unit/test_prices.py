"""Prices are data: ours name real classes of machines, and a file of another form is refused by its rule."""

from __future__ import annotations

import datetime
import gzip
import json
from pathlib import Path

import moto
import pytest

from tasks.errors import SettingsError
from tasks.settings import aws_prices, settings
from tests.unit.conftest import LoadSettings

AMAZONS_OWN = Path(moto.__file__).parent / "ec2" / "resources" / "instance_types.json.gz"
"""What EC2 says of its classes of machines, which moto brings."""


def test_our_classes_have_the_vcpus_memory_and_gpus_that_amazon_says() -> None:
    told = json.loads(gzip.decompress(AMAZONS_OWN.read_bytes()))
    for one in aws_prices.read(aws_prices.OURS).classes:
        amazons = told[one.name]
        gpus = sum(each["Count"] for each in amazons.get("GpuInfo", {}).get("Gpus", []))

        assert amazons["VCpuInfo"]["DefaultVCpus"] == one.vcpus, one.name
        assert amazons["MemoryInfo"]["SizeInMiB"] == one.memory_gib * 1024, one.name
        assert gpus == one.gpus, one.name


def test_our_prices_have_a_date_a_region_and_sources() -> None:
    ours = aws_prices.read(aws_prices.OURS)

    assert (ours.region, ours.date) == ("us-east-1", datetime.date(2026, 1, 19))
    assert "https://aws.amazon.com/ec2/pricing/on-demand/" in aws_prices.OURS.read_text()
    assert all(0.3 <= one.spot / one.on_demand <= 0.45 for one in ours.classes)


def test_requests_are_paid_by_the_thousand() -> None:
    assert aws_prices.read(aws_prices.OURS).requests(2000, 10_000) == pytest.approx(2 * 0.005 + 10 * 0.0004)


def test_the_cheapest_core_hour_is_that_of_the_class_with_the_cheapest_vcpus_disk_and_all(tmp_path: Path) -> None:
    text = aws_prices.OURS.read_text()
    path = tmp_path / "prices.toml"
    path.write_text(text.replace("on_demand = 0.768", "on_demand = 0.768, spot = 0.016"))
    disk = 200 * 0.08 / 730
    name, dollars = aws_prices.read(path).cheapest_core_hour

    assert name == "m6i.4xlarge"
    assert dollars == pytest.approx((0.016 + disk) / 16)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("date = 2026-01-19", 'date = "long ago"', "it must say `date ="),
        ("[s3]", "[s4]", r"there is no table \[s3\]"),
        ("gb = 200", "gb = 0", "gb = 0.0: it must be a number above 0|gb = 0: it must be a number above 0"),
        ("spot_fraction = 0.4", "spot_fraction = 40", "spot_fraction = 40: it must be .* at most 1"),
        (
            "vcpus = 4,  memory_gib = 8,   on_demand = 0.17 ",
            "vcpus = 4,  memory_gib = 8",
            "'c6i.xlarge': on_demand = None",
        ),
        ("memory_gib = 8,   on_demand = 0.17 ", "memory = 8, on_demand = 0.17 ", "'c6i.xlarge': there is no 'memory'"),
        ("region = ", "region ", "it is no TOML"),
        ("thousand_puts = 0.005", "thousand_puts = true", "thousand_puts = True: it must be a number"),
    ],
    ids=["date", "table", "disk", "spot", "price", "key", "toml", "bool"],
)
def test_a_file_of_another_form_is_refused_with_its_rule(tmp_path: Path, old: str, new: str, says: str) -> None:
    text = aws_prices.OURS.read_text()
    path = tmp_path / "prices.toml"
    path.write_text(text.replace(old, new, 1))

    assert old in text
    with pytest.raises(SettingsError, match=says) as refused:
        aws_prices.read(path)
    assert str(path) in str(refused.value)


def test_luigi_cfg_names_a_file_of_ones_own_which_is_checked_at_once(luigi_cfg: LoadSettings, tmp_path: Path) -> None:
    luigi_cfg("")
    assert settings.load().prices == aws_prices.OURS

    (tmp_path / "own.toml").write_text(aws_prices.OURS.read_text())
    luigi_cfg("[plan]\nprices = own.toml\n")
    assert settings.load().prices == tmp_path / "own.toml"

    luigi_cfg("[plan]\nprices = absent.toml\n")
    with pytest.raises(SettingsError, match=r"\[plan\] prices = .*absent.toml: there is no such file"):
        settings.load()
