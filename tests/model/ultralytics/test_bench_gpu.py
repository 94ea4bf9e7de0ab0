"""scripts/bench_gpu.py: its rows work without a card, and what they say of targets."""

import pytest

from tests.scripts import load_script


@pytest.fixture
def script():
    return load_script("bench_gpu")


@pytest.fixture
def bench(script, tiny_weights, tmp_path, monkeypatch):
    monkeypatch.setenv("SEGTRACK_BACKEND", "torch")
    small = script.simulated_video(tmp_path / "small.mp4", 6)
    big = script.enlarged(small, tmp_path / "big.mp4", 4, (96, 64))
    return script.Bench("cpu", small, big, tiny_weights.path, 6, 4, 1, 64, tmp_path)


def test_targets_are_judged(script):
    row = {"a": 2.0, "b": 0.31239, "targets": ("a >= 3", "b <= 0.5")}
    assert script.judged(row) == {
        "a": 2.0,
        "b": 0.3124,
        "targets": {"a >= 3": False, "b <= 0.5": True},
    }


def test_a_row_that_fails_ends_no_other(script, bench, monkeypatch):
    def fails(bench):
        raise RuntimeError("no such luck")

    monkeypatch.setattr(script, "ROWS", {"fails": fails, "works": lambda bench: {"x": 1.23456}})
    rows = script.measured(bench, ["fails", "works"], 100)["rows"]
    assert rows["fails"]["error"] == "RuntimeError: no such luck"
    assert rows["works"]["x"] == 1.2346
    late = script.measured(bench, ["works"], -1)["rows"]
    assert late == {"works": {"skipped": "-1 s are over"}}


def test_videos_are_measured(script, bench):
    row = script.judged(script.video_big(bench))
    assert (row["frames"], row["size"], row["tracked"]) == (4, "96x64", 4)
    names = ("ours_fps", "decode_fps", "read_fps", "track_fps", "predict_fps")
    assert all(row[name] > 0 for name in names)
    assert row["against_track"] == pytest.approx(row["ours_fps"] / row["track_fps"], rel=0.01)
    assert set(row["targets"]) == {"against_track >= 3", "share_of_decoding >= 0.6"}


def test_precisions_are_compared_where_something_is_found(script, bench, monkeypatch):
    row = script.judged(script.precision(bench))
    assert row["mask_map50_95_float32"] > 0.1
    assert row["mask_map50_95_apart"] <= 0.002  # both are float32 here, one in other batches
    assert set(row["targets"]) == {f"{kind}_map50_95_apart <= 0.002" for kind in ("mask", "box")}
    monkeypatch.setattr(script, "SHIPPED", bench.weights)  # untrained
    for name in ("half", "float32"):
        (bench.folder / name).rename(bench.folder / f"{name} before")
    with pytest.raises(RuntimeError, match="nothing was found"):
        script.precision(bench)


def test_the_network_is_measured_alone(script, bench):
    row = script.network(bench)
    assert row["batch"] == 2
    assert row["eager_fps"] > 0
    assert row["graph_fps"] > 0


def test_several_videos_of_one_command_are_measured(script, bench, capsys):
    row = script.judged(script.folder_of_videos(bench))
    assert (row["videos"], row["frames"]) == (2, 12)
    assert capsys.readouterr().out.count("detect     2 together") == 2
    assert row["against_track"] == pytest.approx(row["ours_fps"] / row["track_fps"], rel=0.01)
    assert set(row["targets"]) == {"against_track >= 8"}


def test_decoding_is_measured(script, bench):
    row = script.decoding(bench)
    assert row["threads"] >= 1
    assert all(row[f"{name}fps"] > 0 for name in ("small_", "small_threads_", "big_threads_"))


def test_the_table_says_what_passed(script):
    rows = {
        "video": {"a": 3.5, "b": 0.5, "targets": {"a >= 3": True, "b >= 0.6": False}},
        "network": {"c": 1, "targets": {}},
        "images": {"error": "RuntimeError: no such luck"},
        "training": {"skipped": "480 s are over"},
    }
    lines = [line.split() for line in script.table(rows).splitlines()]
    assert ["video", "a", "3.5", ">=", "3", "pass"] in lines
    assert ["video", "b", "0.5", ">=", "0.6", "fail"] in lines
    assert any(line[0] == "images" and line[-2:] == ["not", "measured"] for line in lines)
    assert any(line[0] == "training" and line[-2:] == ["not", "measured"] for line in lines)
    assert not any("network" in line for line in lines)


def test_an_epoch_is_the_shortest_but_the_first(script, tmp_path):
    (tmp_path / "results.csv").write_text("epoch,time\n1,9\n2,13\n3,16\n4,21\n")
    assert script.epoch_seconds(tmp_path / "results.csv") == 3
    (tmp_path / "results.csv").write_text("epoch,time\n1,9\n")
    assert script.epoch_seconds(tmp_path / "results.csv") == 9
