"""The table of sources, and images that are not in it."""

from pathlib import Path

import pytest

from segtrack.base.errors import DataError
from segtrack.dataset import YoloSettings
from segtrack.dataset.checks import ChecksFailed
from segtrack.dataset.licences import SourceRow, count_sources, read_sources
from tests.dataset.conftest import Prepare, YoloFolder

HEAD = "# Sources\n\n| file or glob | origin | licence | author |\n|---|:--|---|---|\n"
PROJECT = Path(__file__).resolve().parents[2] / "sources.md"


def test_rows(tmp_path: Path) -> None:
    path = tmp_path / "sources.md"
    path.write_text(HEAD + "| `a*.jpg` | here | CC0 | me |\n\n| other | table |\n|b|there|MIT||\n")
    assert read_sources(path) == [
        SourceRow("a*.jpg", "here", "CC0", "me"),
        SourceRow("b", "there", "MIT", ""),
    ]


def test_a_row_without_a_licence(tmp_path: Path) -> None:
    path = tmp_path / "sources.md"
    path.write_text(HEAD + "| a.jpg | here |  | me |\n")
    with pytest.raises(DataError, match=r"sources\.md:5: a row needs a file or glob, an origin"):
        read_sources(path)
    with pytest.raises(DataError, match=r"no\.md cannot be read"):
        read_sources(tmp_path / "no.md")


@pytest.mark.parametrize(
    ("rows", "missing"),
    [
        (["images/*"], 0),  # by the name inside of the data set
        (["0?.jpg", "1*.jpg"], 0),  # by the bare file name
        (["*/data/images/*.jpg"], 0),  # by the path
        (["0?.jpg"], 2),
        (["sim:*"], 12),
        ([], 12),
    ],
)
def test_every_image_needs_a_row(
    yolo: YoloFolder, run: Prepare, tmp_path: Path, rows: list[str], missing: int
) -> None:
    sources = tmp_path / "sources.md"
    sources.write_text(HEAD + "".join(f"| {row} | here | CC0 | me |\n" for row in rows))
    settings = YoloSettings(path=str(yolo.root), require_sources=True, sources=str(sources))
    if not missing:
        assert run(settings).dataset.counts["train"] == 8
        return
    with pytest.raises(ChecksFailed, match=r"has no row in .*sources\.md \(add a row:") as caught:
        run(settings)
    assert f"has {missing} problem" in str(caught.value)
    settings.require_sources = False
    run(settings)


def test_images_are_counted_by_the_first_row_that_fits(
    yolo: YoloFolder, run: Prepare, tmp_path: Path
) -> None:
    sources = tmp_path / "sources.md"
    sources.write_text(HEAD + "| 00.jpg | here | CC0 | me |\n| no* | x | y | z |\n")
    dataset = run(YoloSettings(path=str(yolo.root))).dataset
    total = sum(dataset.counts.values())
    first = SourceRow("00.jpg", "here", "CC0", "me")
    assert count_sources(dataset, sources) == {first: 1, None: total - 1}
    sources.write_text(HEAD + "| */images/* | all | CC0 | me |\n| 00.jpg | here | CC0 | me |\n")
    assert count_sources(dataset, sources) == {SourceRow("*/images/*", "all", "CC0", "me"): total}


def test_the_projects_own_table() -> None:
    patterns = {row.pattern: row.licence for row in read_sources(PROJECT)}
    assert {"sim:*", "ultralytics:coco128-seg/*"} <= patterns.keys()
    assert all(patterns.values())
