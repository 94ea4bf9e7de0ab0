"""Tables of frames: row groups, frames that cross them, and what a failure leaves."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segtrack.base.frames import RowGroups, frame_writer, read_frames, row_groups, rows_with

SCHEMA = pa.schema(
    [
        ("frame", pa.int64()),
        ("score", pa.float32()),
        *((name, pa.float32()) for name in ("x1", "y1", "x2", "y2")),
        ("rle", pa.binary()),
    ]
)


def columns(count: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "score": rng.random(count),
        "box": rng.random((count, 4)),
        "rle": [b"%d" % seed if i % 2 else None for i in range(count)],
    }


def write(path: Path, counts: dict[int, int], rows: int) -> None:
    with frame_writer(path, SCHEMA, rows) as writer:
        for number, count in counts.items():
            writer.add((number, columns(count, number)), count)
    assert writer.rows_written == sum(counts.values())


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    counts=st.dictionaries(st.integers(0, 99), st.integers(0, 7), max_size=30),
    group=st.integers(1, 9),
)
def test_frames_come_back_whole_from_any_row_groups(
    counts: dict[int, int], group: int, tmp_path: Path
) -> None:
    counts = dict(sorted(counts.items()))
    write(tmp_path / "a.parquet", counts, group)
    pq.write_table(
        pq.read_table(tmp_path / "a.parquet"), tmp_path / "b.parquet", row_group_size=group
    )
    for name in ("a.parquet", "b.parquet"):  # frames whole in their groups, and cut
        found = list(read_frames(tmp_path / name))
        assert [number for number, _ in found] == [n for n, count in counts.items() if count]
        for number, rows in found:
            expected = columns(counts[number], number)
            assert (rows["frame"] == number).all()
            assert rows["score"].tolist() == expected["score"].astype(np.float32).tolist()
            np.testing.assert_array_equal(rows["box"], expected["box"].astype(np.float32))
            assert rows["rle"] == expected["rle"]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    numbers=st.lists(st.integers(0, 40), max_size=40).map(sorted),
    wanted=st.sets(st.integers(-2, 45), max_size=6),
    group=st.integers(1, 9),
    statistics=st.booleans(),
)
def test_rows_with_some_values(
    numbers: list[int], wanted: set[int], group: int, statistics: bool, tmp_path: Path
) -> None:
    """A nested column before it, files without statistics, nothing that fits."""
    rows = {"parts": [[n, n] for n in numbers], "n": numbers, "place": range(len(numbers))}
    schema = pa.schema([("parts", pa.list_(pa.int64())), ("n", pa.int64()), ("place", pa.int64())])
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(rows, schema), path, row_group_size=group, write_statistics=statistics)
    found = rows_with(path, "n", wanted)
    assert found.schema.names == schema.names
    expected = [(n, i) for i, n in enumerate(numbers) if n in wanted]
    assert list(zip(*found.select(["n", "place"]).to_pydict().values(), strict=True)) == expected
    assert rows_with(path, "n", wanted, ["place", "n"]).column_names == ["place", "n"]


def test_a_row_group_is_written_as_soon_as_it_is_full(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", {0: 3, 1: 0, 2: 1, 3: 9, 4: 2}, 4)
    with pq.ParquetFile(tmp_path / "a.parquet") as file:
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    assert sizes == [4, 9, 2]
    assert [len(table) for table in row_groups(tmp_path / "a.parquet", ["score"])] == [4, 9, 2]
    assert next(row_groups(tmp_path / "a.parquet", ["score"])).column_names == ["score"]


def test_a_table_without_rows(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", {}, 4)
    assert list(read_frames(tmp_path / "a.parquet")) == []
    assert pq.read_schema(tmp_path / "a.parquet") == SCHEMA


def test_what_was_held_at_a_failure_is_not_written(tmp_path: Path) -> None:
    schema = pa.schema([("n", pa.int64())])
    piece = pa.table({"n": [1, 2, 3]}, schema)
    with (
        pytest.raises(RuntimeError),
        RowGroups(tmp_path / "a.parquet", schema, 5, pa.concat_tables) as writer,
    ):
        for _ in range(3):
            writer.add(piece, 3)
        raise RuntimeError
    assert pq.read_table(tmp_path / "a.parquet")["n"].to_pylist() == [1, 2, 3, 1, 2, 3]


def test_a_larger_piece_can_be_cut_into_groups(tmp_path: Path) -> None:
    schema = pa.schema([("n", pa.int64())])
    with RowGroups(tmp_path / "a.parquet", schema, 4, pa.concat_tables, row_group_size=4) as writer:
        writer.add(pa.table({"n": range(10)}, schema), 10)
    assert [len(table) for table in row_groups(tmp_path / "a.parquet")] == [4, 4, 2]
