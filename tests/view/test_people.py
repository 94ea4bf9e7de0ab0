"""What people made of a run's predictions, on its page."""

from pathlib import Path

import requests

from segtrack import journal as journals
from segtrack.base.metrics import Metric
from segtrack.runs import find
from segtrack.view import Library, start_view
from tests.journal.made import empty_mlflow

TABLE = (
    "class,band,sent,accepted,corrected,deleted,added,precision,recall\n"
    "car,high,3,1,1,1,,0.5,\ncar,all,3,1,1,1,2,0.5,0.25\n"
    "all,high,3,1,1,1,,0.5,\nall,all,3,1,1,1,2,0.5,0.25\n"
)


def test_what_went_to_people_and_came_back(tmp_path: Path, mlflow_template: Path) -> None:
    settings = empty_mlflow(tmp_path, mlflow_template)
    review = tmp_path / "review"
    review.mkdir()
    (review / "outcomes.csv").write_text(TABLE)
    (review / "review.json").write_text('{"calibration": "No score is safe."}')
    (review / "acceptance.png").write_bytes(b"a picture")
    store = tmp_path / "store"
    store.mkdir()
    done = {
        "pushed": ({"push/files": 24, "push/sent": 3}, {"labellerr.project": "ada_1"}),
        "again": ({"push/files": 24, "push/sent": 0}, {"labellerr.project": "ada_1"}),
        "sent": (
            {"review/sent_images": 1},
            {"stage.train": "reused 1", "labellerr.test_project": "ada_2"},
        ),
        "pulled": (
            {"review/images": 12},
            {"labellerr.test_project": "ada_2", "dataset.next_version": "002-abc"},
        ),
        "trained": ({}, {"stage.train": "built in 1 s 1"}),
    }
    for name, (metrics, tags) in done.items():
        with journals.record(settings, name, {**tags, "store": str(store)}) as journal:
            journal.params({"stages": [name], "labellerr.mode": "emulator"})
            journal.text(f"stages: [{name}]", "settings.yaml")  # as every run keeps them
            for metric, value in metrics.items():
                journal.metric(Metric(metric, value, 0))
            if name == "pulled":
                journal.artifact(review, "review")
    found = find(settings, list(done), tmp_path / "s")
    library = Library(settings, found, tmp_path / "s")
    with start_view(library) as view:

        def get(path: str, **options: bool) -> requests.Response:
            return requests.get(view.address + path, timeout=30, **options)  # type: ignore[arg-type]

        index = get("").text
        for words in ("pushed 24 images", "sent 1 image for review", "pulled 12 reviewed images"):
            assert f'class="what">{words}<' in index
        assert "0 videos" not in index
        pages = [get(f"runs/{run.label}/").text for run in found]
        assert not any("tracked in no video" in page for page in pages)
        assert "Pushed 24 images." in pages[0] and "segtrack labellerr open ada_1" in pages[0]
        assert "Pushed 24 images, all of them there before." in pages[1]
        assert '<p>Sent 1 image for review. <a href="projects/ada_2/"' in pages[2]
        pulled = pages[3]
        assert "No score is safe." in pulled and "002-abc" in pulled
        assert '<th scope="row">high confidence</th><td class="figure">3</td>' in pulled
        assert '<td class="figure">50.0</td><td class="figure">25.0</td></tr></tbody>' in pulled
        assert 'id="people"' not in pages[4]
        at = f"runs/{found[3].label}/"
        assert get(f"{at}review/acceptance.png").content == b"a picture"
        assert get(f"{at}review/objects.csv").status_code == 404
        html = {"Accept": "text/html"}
        down = requests.get(f"{view.address}{at}projects/ada_2/", headers=html, timeout=30)
        assert (down.status_code, "<code>segtrack labellerr up</code>" in down.text) == (404, True)
        assert "no project" in get(f"{at}projects/ada_1/").text
    library.close()
