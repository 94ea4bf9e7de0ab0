"""``scripts/plan_scale.py``: hand-computed plans, and what it says of what it does not know."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from scripts import plan_scale
from scripts.plan_scale import Rates, expected, resources, sample, spread

RATES = Rates("image", 2, 2, 10.0, 100.0, 4.0, 50_000.0, 10_000.0, 512.0)


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["plan_scale.py", *words])
    with pytest.raises(SystemExit) as end:
        plan_scale.main()
    return end.value.code if isinstance(end.value.code, int) else 2


def kept(folder: Path, rates: Rates = RATES) -> str:
    path = folder / "rates.json"
    path.write_text(json.dumps(asdict(rates)))
    return str(path)


@pytest.mark.parametrize(
    ("count", "actors", "rate", "seconds"),
    [
        (5120, 1, 50.0, 102.4),  # one process: no shard waits for another
        (5120, 2, 50.0, 51.2),  # five shards each
        (5120, 4, 50.0, 30.72),  # three shards for two of them
        (100, 4, 50.0, 2.0),  # less than a shard: one of them does it
        (1_024_000, 100, 50.0, 204.8),
    ],
)
def test_whole_shards_are_spread(count: int, actors: int, rate: float, seconds: float) -> None:
    assert spread(RATES, count, actors, rate) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("words", "bottleneck", "seconds"),
    [
        (["--machines", "4", "--cores", "32"], "compute", 1_000_000 / (4 * 32 * 50)),
        (["--machines", "4", "--cores", "32", "--read", "200"], "object store, reading", 250.0),
        (["--machines", "2", "--cores", "64", "--network", "50"], "network", 600.0),
        (["--gpus", "8", "--gpu-rate", "900", "--cores", "16"], "decode", 250.0),
        (["--gpus", "1", "--gpu-rate", "500", "--cores", "64"], "GPUs", 2000.0),
    ],
)
def test_what_a_million_takes(
    words: list[str],
    bottleneck: str,
    seconds: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, "plan", kept(tmp_path), "--images", "1000000", *words) == 0
    lines = capsys.readouterr().out.splitlines()
    (slowest,) = [line for line in lines if "the bottleneck" in line]
    assert slowest.startswith(bottleneck)
    shown = slowest[len(bottleneck) :].split("  ")
    # A last shard of 512 may come on top.
    assert next(s for s in shown if s.strip()).strip() in (
        plan_scale.told(seconds),
        plan_scale.told(spread(RATES, 1_000_000, 4 * 32, 50.0)),
    )
    assert any(line.startswith("database") and "not known" in line for line in lines)


def test_hours_of_video_end_with_the_longest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rates = kept(tmp_path, replace(RATES, kind="video", shard=9000.0))
    words = ("--hours", "10", "--fps", "25", "--machines", "50", "--longest", "5", "--price", "2")
    assert run(monkeypatch, "plan", rates, *words) == 0
    out = capsys.readouterr().out
    assert "longest video               2.5 h" in out and "900,000 frames" in out
    assert "machine hours              125.14, 250.28 at 2 an hour" in out
    assert run(monkeypatch, "plan", rates, "--images", "5") == 2


def test_a_check_fails_beyond_a_fifth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = tmp_path / "bench.json"
    planned = 10 + 40 / 2 * 512 / 50  # 40 shards of two actors
    for took, code in ((planned / 1.19, 0), (planned / 1.21, 1), (planned / 0.81, 0)):
        bench.write_text(json.dumps({"images": {"count": 20_000, "plain_s": 1.0, "ray_s": took}}))
        assert run(monkeypatch, "check", kept(tmp_path), str(bench)) == code
        assert f"planned {planned:.1f} s" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ["plan", "nowhere.json", "--images", "1"],
        ["measure", "x", "y"],
        *(
            ["plan", "RATES", "--images", "9", *wrong.split()]
            for wrong in ("--machines 0", "--cores -2", "--network 0", "--read -1", "--gpus 0")
        ),
        ["plan", "RATES", "--images", "9", "--gpus", "1", "--gpu-rate", "nan"],
        *(["plan", "RATES", "--images", wrong] for wrong in ("0", "-5", "1.5")),
        *(["plan", "RATES", "--hours", wrong] for wrong in ("0", "-5", "inf", "two")),
        ["plan", "RATES", "--images", "9" * 400],
        ["plan", "RATES", "--hours", "1e308"],
        ["plan", "RATES", "--images", "9", "--machines", "9" * 400],
        ["check", "RATES", "nowhere.json"],
        ["check", "RATES", "RATES"],
        ["measure", "nowhere", "--json", "nowhere/rates.json"],
        ["measure", "nowhere", "--store", "s4://bucket"],
        ["measure", "nowhere", "--mlflow", "ftp://nobody"],
    ],
    ids=" ".join,
)
def test_what_is_wrong_is_said(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rates = kept(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, *(rates if word == "RATES" else word for word in words)) == 2
    assert not capsys.readouterr().out  # no plan of what cannot be


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"per_s": 0}, "per_s is 0"),
        ({"per_s": "fast"}, "per_s is 'fast'"),
        ({"decode_ms": math.nan}, "decode_ms is nan"),
        ({"shard": -3}, "shard is -3"),
        ({"cores": None}, "cores is None"),
        ({"kind": "picture"}, "kind is 'picture'"),
        ({"read_mb_s": 0}, "read_mb_s is 0"),
    ],
)
def test_rates_that_nobody_measured(
    change: dict[str, object],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "rates.json"
    path.write_text(json.dumps({**asdict(RATES), **change}))
    assert run(monkeypatch, "plan", str(path), "--images", "9") == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    "content", [7, {"count": 5}, {"count": 5, "ray_s": 0}, {"count": 0, "ray_s": 2}]
)
def test_a_bench_without_figures(
    content: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = tmp_path / "bench.json"
    bench.write_text(json.dumps({"images": content}))
    monkeypatch.setattr("sys.argv", ["plan_scale.py", "check", kept(tmp_path), str(bench)])
    with pytest.raises(SystemExit, match=r"bench.json: no run of images that bench_predict"):
        plan_scale.main()


def test_a_measurement_that_fails_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = tmp_path / "rates.json"
    words = ["plan_scale.py", "measure", str(tmp_path / "nowhere"), "--json", str(rates)]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit, match="nowhere: no such folder"):
        plan_scale.main()
    assert not rates.exists()


def test_a_password_in_an_address_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["measure", str(tmp_path), "--mlflow", "http://ann:sesame@127.0.0.1:9"]
    monkeypatch.setattr("sys.argv", ["plan_scale.py", *words])
    with pytest.raises(SystemExit) as end:
        plan_scale.main()
    assert "127.0.0.1:9: cannot be used" in str(end.value) and "sesame" not in str(end.value)


def test_samples_are_spread_over_all(tmp_path: Path) -> None:
    paths = [tmp_path / f"{n}.jpg" for n in range(10)]
    for path in paths:
        path.write_text(path.name)
    folder = sample(paths, 4, tmp_path / "some")
    assert [p.read_text() for p in sorted(folder.iterdir())] == ["0.jpg", "2.jpg", "5.jpg", "7.jpg"]


def test_all_resources_are_named() -> None:
    given = plan_scale.argparse.Namespace(
        machines=1, cores=None, gpus=None, gpu_rate=None, longest=0, network=10.0, read=None, fps=30
    )
    known = replace(RATES, read_mb_s=100.0, write_mb_s=20.0, records_s=50.0, records=200)
    found = resources(known, 10_000, given)
    assert {one.name: one.seconds for one in found} == {
        "compute": pytest.approx(10 * 512 / 50),
        "network": pytest.approx(60.0),
        "object store, reading": pytest.approx(5.0),
        "object store, writing": pytest.approx(5.0),
        "database": pytest.approx(4.0),
    }
    assert expected(known, found) == pytest.approx(10 + 102.4)
