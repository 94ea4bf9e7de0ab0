"""``segtrack report`` on runs in a database of their own; their files are written by hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from segtrack import journal as journals
from segtrack.base.statistics import Estimate
from segtrack.command.app import main
from segtrack.command.report_sweep import sweep_description
from segtrack.report import Basis, Outcome, Setting, compare_settings
from segtrack.runs import KeptSweep, find
from segtrack.scoring import PLAIN_FIELDS, counts_of
from segtrack.settings import MlflowSettings
from tests.browser import open_browser
from tests.report.test_document import DOT, Page

NAMES = ("car", "a|b <i>")
CONFIG = {"seed": 3, "dataset.source": "traffic_sim", "dataset.sources": "none.md"}
TAGS = {"command": "run.py seed=3", "git.commit": "abc", "git.dirty": "true"}
TAGS |= {"weights.origin": "trained", "weights.sha256": "feed", "stage.train": "built in 1.0 s k"}
TAGS |= {"dataset.fingerprint": "5ca1ab1e" * 4}


@pytest.fixture
def settings(
    tmp_path: Path, mlflow_template: Path, monkeypatch: pytest.MonkeyPatch
) -> MlflowSettings:
    (tmp_path / "mlruns").mkdir()
    shutil.copy2(mlflow_template, tmp_path / "mlruns" / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    return MlflowSettings(uri="sqlite:///mlruns/mlflow.db", artifacts="mlruns/artifacts")


def kept(
    settings: MlflowSettings,
    name: str,
    files: Mapping[str, str | bytes],
    tags: Mapping[str, str] = TAGS,
    parent: str | None = None,
) -> str:
    with journals.record(settings, name, tags, parent) as journal:
        for path, content in files.items():
            if isinstance(content, str):
                journal.text(content, path)
            else:
                file = Path(settings.artifacts or "") / "made" / Path(path).name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
                journal.artifact(file, str(Path(path).parent))
        config = OmegaConf.create()
        for key, value in CONFIG.items():
            OmegaConf.update(config, key, value)
        journal.text(OmegaConf.to_yaml(config), "config.yaml")
    return journal.run_id


def evaluated() -> dict[str, str | bytes]:
    """80 images; half of the AP in each class."""
    metrics = {f"test/{kind}_map50_95": 0.25 for kind in ("mask", "box")} | {
        "test/mask_map50": 0.5,
        "test/mask_map_small": None,
    }
    counts = {"images": 80, "objects": 1207, "detections": 9}
    head = "class,images,objects,mask_map50_95,mask_map50,box_map50_95,box_map50\n"
    dataset = {
        "fingerprint": "f" * 64,
        "names": [*NAMES, "bus"],
        "counts": {"train": 240, "val": 0, "test": 80},
        "classes": {
            "train": {"car": 2000, NAMES[1]: 5, "bus": 1},
            "test": {"car": 1200, NAMES[1]: 7, "bus": 0},
        },
        "warnings": ["small: 3 labels"],
    }
    return {
        "evaluation/metrics.json": json.dumps({"metrics": metrics, "counts": counts}),
        "evaluation/per_class.csv": head
        + f"{NAMES[1]},2,7,0.125,,0.5,1\nbus,0,0,,,,\ncar,80,1200,0.25,0.75,0.5,0.5\n",
        "evaluation/figures/confusion_matrix.png": DOT,
        "data/dataset.json": json.dumps(dataset),
        "environment.txt": "python 3.11.7\ncpu cores 2\nnumpy==2.4.6\nzzz==1\n",
    }


def tracked(tmp_path: Path) -> dict[str, str | bytes]:
    """One video in which 150 of 200 cars were found, all with the right identity."""
    tp = 150.0
    hota = np.repeat(np.array([tp, 50, 0, tp, tp, tp, tp])[:, None], 19, axis=1)
    plain = dict.fromkeys(PLAIN_FIELDS, 0.0) | {"CLR_TP": tp, "CLR_FN": 50.0}
    counts = counts_of(hota, plain | {"IDTP": tp, "IDFN": 50.0})[None]
    np.savez(
        tmp_path / "c.npz", name=np.array("v"), keys=np.array([("box", NAMES[1])]), counts=counts
    )
    videos = (
        "video,role,HOTA,DetA,AssA,MOTA,IDF1,IDSW,FP,FN\n"
        "v,,0.75,0.75,1,0.75,0.857142,0,0,50\nall,combined,0.75,0.75,1,0.75,0.8,0,0,50\n"
    )
    return {
        "tracking/v/results.json": "{}",
        "tracking/v/scores/counts.npz": (tmp_path / "c.npz").read_bytes(),
        "tracking/scores/videos.csv": videos,
    }


def reported(
    capsys: pytest.CaptureFixture[str], settings: MlflowSettings, *words: str, code: int = 0
) -> str:
    assert main(["report", *words, f"mlflow.uri='{settings.uri}'"]) == code
    out = capsys.readouterr()
    return out.err if code else out.out


def test_a_run(
    settings: MlflowSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = kept(settings, "named", evaluated() | tracked(tmp_path))
    said = reported(capsys, settings, "named", "--to", "html,md,tex", "--question", "Is it <b>?")
    folder = f"outputs/reports/named-{run[:8]}"
    assert said == f"wrote {folder}/report.html, {folder}/report.md, {folder}/report.tex\n"
    text = (tmp_path / folder / "report.md").read_text()
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert text.startswith("# named\n\nIs it \\<b\\>?\n\nfinished, ")
    assert "Evaluated on 80 images of the split test with 1207 objects" in text
    assert "| AP, IoU .50:.95 | 25.00 | 25.00 |" in tables
    assert (
        "| AP, IoU .50 | 50.00 | n/a |" in tables and "| AP, small objects | n/a | n/a |" in tables
    )
    # By support: the most frequent first.
    at = tables.index("| car | 80 | 1,200 | 25.00 | 75.00 | 50.00 | 50.00 |")
    assert tables[at + 1] == "| a\\|b \\<i\\> | 2 | 7 | 12.50 | n/a | 50.00 | 100.00 |"
    # 150 / 200 = DetA = MOTA, AssA 1: HOTA is the root of .75. IDF1 is 150 / (150 + 25).
    assert "| a\\|b \\<i\\> | 200 | 86.60 | 75.00 | 100.00 | 75.00 | 85.71 | 0 | 0 | 50 |" in tables
    assert "| v | 75.00 | 75.00 | 100.00 | 75.00 | 85.71 | 0 | 0 | 50 |" in tables
    assert "all together" not in text  # there is one video
    assert "| images | 240 | 80 |" in tables and "| bus | 1 | 0 |" in tables
    claims = text.partition("## What cannot be claimed\n\n")[2].partition("\n\n##")[0].splitlines()
    assert [line[:60] for line in claims] == [
        "- Scores of a single run have no interval: whether another o",
        "- One seed (3): how much another one would change is in none",
        "- Classes in fewer than 6 images, whose AP moves by single o",
        "- Classes without an object in the split, of which nothing i",
        "- Tracking is judged by 1 sequence: how sequences differ can",
        "- The data set is drawn by the traffic simulator: the figure",
        "- Files of the code differed from the commit: it alone does ",
    ]
    assert "a\\|b \\<i\\> (7 objects in 2 images)" in claims[2] and claims[3].endswith(
        "known: bus."
    )
    assert (
        "    run.py seed=3\n" in text
        and "| commit of the code | abc, with files that differ" in text
    )
    assert "| numpy | 2.4.6 |" in tables and "zzz" not in text and "    seed: 3\n" in text
    assert "Licences are not known: the data set is not found in the store." in text


def test_the_page_of_a_run_and_its_record_link_to_each_other(
    settings: MlflowSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = kept(settings, "named", evaluated())
    reported(capsys, settings, run, "--to", "html", "--out", str(tmp_path / "out"))
    page = Page.of((tmp_path / "out" / "report.html").read_text())
    record = journals.earlier_run(settings, run)
    place = f"#/experiments/{record.info.experiment_id}/runs/{run}"
    assert f"http://127.0.0.1:5000/{place}" in page.links
    assert all(link.startswith(("#section-", "http://127.0.0.1:5000/")) for link in page.links)
    assert page.sources and all(one.startswith("data:image/") for one in page.sources)
    link = f"[Report](<{place}/artifacts/report/report.html>)"
    assert record.data.tags[journals.NOTE] == link
    journals.describe(settings, run, f"{link}\n\nmine")
    reported(capsys, settings, run, "--to", "html", "--out", str(tmp_path / "out"))
    assert journals.earlier_run(settings, run).data.tags[journals.NOTE] == f"{link}\n\nmine"
    assert len(journals.run_files(settings, run, "report/report.html", tmp_path)) == 1


def test_it_says_nothing_of_where_things_lie_here(
    settings: MlflowSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = f"run.py video={tmp_path}/a.mp4 store={Path.home()}/s model.weights=/else{tmp_path}/w"
    files = {"data/dataset.json": evaluated()["data/dataset.json"]}
    run = kept(settings, "named", files, {**TAGS, "command": typed, "stage.x": str(tmp_path)})
    reported(capsys, settings, run[:8], "--to", "md", "--out", "out")  # as view finds it
    text = (tmp_path / "out" / "report.md").read_text()
    assert f"run.py video=a.mp4 store=~/s model.weights=/else{tmp_path}/w\n" in text
    assert "| stage x | . |" in text and "have no interval" not in text


def test_what_cannot_be_reported(
    settings: MlflowSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = kept(settings, "empty", {}, {})
    said = reported(capsys, settings, "0" * 32, code=2)
    assert "no such run in sqlite:///mlruns/mlflow.db" in said and len(said.splitlines()) == 1
    said = reported(capsys, settings, empty, "--out", str(tmp_path / "x"), code=2)
    assert said.startswith(f"error: {empty}: the run kept nothing to report: no data set, no ")
    with journals.record(settings, "going", {}) as journal:
        said = reported(capsys, settings, journal.run_id, code=2)
        assert (
            said == f"error: {journal.run_id}: it is still running; report it when it has ended\n"
        )
    assert not (tmp_path / "x").exists()


def sweep(settings: MlflowSettings, tmp_path: Path, names: tuple[str, str] = ("t=1", "t=2")) -> str:
    """Two settings, the second 2 points better in each of seven sequences, and noise."""
    scores = np.array([0.50, 0.62, 0.41, 0.73, 0.55, 0.66, 0.58])
    noise = np.array([0.01, -0.02, 0.015, -0.01, 0.02, -0.005, -0.01])

    def estimate(alone: np.ndarray) -> Estimate:
        left = (alone.sum() - alone) / 6
        return Estimate(
            tuple("abcdefg"), np.full(7, 9.0), np.array([alone.mean()]), left[None], alone[None]
        )

    both = [
        Setting(names[0], {"t": 1}, {"HOTA": estimate(scores)}, None, True),
        Setting(names[1], {"t": 2}, {"HOTA": estimate(scores + 0.02 + noise)}),
    ]
    outcome = Outcome.of(compare_settings(both, Basis("sequences")))
    cells = "run,status,tracker.t,track/hota,track/tracks\nx,FINISHED,1,0.5786,7\ny,FAILED,2,,\n"
    with journals.record(
        settings, "sweep t", {**TAGS, journals.SWEEP_KEYS: '["tracker.t"]'}
    ) as parent:
        parent.text(outcome.json(), "claims.json")
        parent.text(cells, "cells.csv")
        (tmp_path / "differences_hota.png").write_bytes(DOT)
        parent.artifact(tmp_path / "differences_hota.png", "figures")
        kept(settings, "x", evaluated(), parent=parent.run_id)
        early = {key: value for key, value in TAGS.items() if key != "dataset.fingerprint"}
        with pytest.raises(RuntimeError), journals.record(settings, "y", early, parent.run_id):
            raise RuntimeError("no")
    return parent.run_id


def test_a_sweep(
    settings: MlflowSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = sweep(settings, tmp_path)
    reported(capsys, settings, run, "--to", "md", "--out", str(tmp_path / "out"))
    text = (tmp_path / "out" / "report.md").read_text()
    # Squares of the noise sum to 1.35e-3: its SD is .015; t of 6 degrees of freedom is 2.447.
    half = 100 * 2.446912 * 0.015 / np.sqrt(7)
    gap = f"+2.00 (+{2 - half:.2f} to +{2 + half:.2f})\\*"
    assert f"| HOTA | t=2 | 59.86 | 57.86 | {gap} | 0 of 1 |" in text
    assert f"| t=2 | **59.86** | {gap} |\n| t=1 (reference) | 57.86 |  |\n" in text
    assert "- t=2 is better than the default on these 7 sequences by 2.00 HOTA" in text
    assert "![Differences of HOTA with intervals](figures/differences_hota.png)" in text
    assert "| x | FINISHED | 1 | 7.0 | 0.5786 |\n| y | FAILED | 2 |  |  |\n" in text
    assert "- Nothing tests the choice: what chose is what is measured." in text
    assert "- 1 cell did not finish: y." in text and "| car | 2,000 | 1,200 |" in text
    assert "Of its first finished cell, x:" in text


def test_the_description_of_a_sweep_fits_and_shows_its_picture(
    settings: MlflowSettings, tmp_path: Path
) -> None:
    run = sweep(settings, tmp_path)
    (found,) = find(settings, [run], tmp_path)
    assert isinstance(found, KeptSweep)
    text = sweep_description(found)
    assert text.startswith("2 settings, measured on 7 sequences; the default is t=1.\n\n- t=2 is ")
    assert "| t=2 | **59.86** | +2.00 (+" in text
    query = f"get-artifact?path=figures%2Fdifferences_hota.png&run_uuid={run}"
    assert f"![Differences of HOTA with intervals]({query})" in text
    long = sweep(settings, tmp_path, ("t=1 " + "x" * 800, "t=2"))
    (found,) = find(settings, [long], tmp_path)
    assert isinstance(found, KeptSweep)
    assert 0 < len(sweep_description(found)) <= journals.NOTE_LENGTH


def test_the_page_in_a_browser(
    settings: MlflowSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = kept(settings, "named", evaluated())
    with open_browser(tmp_path / "browser") as browser:
        reported(capsys, settings, run, "--to", "html,pdf", "--out", str(tmp_path / "out"))
        browser.get((tmp_path / "out" / "report.html").as_uri())
        ask = browser.execute_script
        assert ask("return [...document.images].map(i => i.naturalWidth)") == [1]
        loaded = ask("return performance.getEntriesByType('resource').map(r => r.name)")
        assert all(name.startswith("data:") for name in loaded)
        assert browser.get_log("browser") == []
        assert ask("return document.documentElement.scrollWidth <= window.innerWidth")
        assert ask("return document.querySelectorAll('script').length") == 0

        def paper(scheme: str, media: str = "screen") -> str:
            feature = [{"name": "prefers-color-scheme", "value": scheme}]
            how = {"media": media, "features": feature}
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", how)
            return str(ask("return getComputedStyle(document.body).backgroundColor"))

        assert paper("light") == paper("dark", "print") == "rgb(255, 255, 255)"
        assert ask("return getComputedStyle(document.querySelector('nav')).display") == "none"
        assert paper("dark") == "rgb(22, 24, 27)"
    assert (tmp_path / "out" / "report.pdf").read_bytes().startswith(b"%PDF-")


def test_without_a_browser_there_is_no_pdf(
    settings: MlflowSettings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = kept(settings, "named", evaluated())
    monkeypatch.setenv("PATH", str(tmp_path))
    said = reported(capsys, settings, run, "--out", str(tmp_path / "out"))
    assert said.startswith("no PDF: there is no Chromium here that could print it\nwrote ")
    assert not (tmp_path / "out" / "report.pdf").exists()
    said = reported(capsys, settings, run, "--to", "pdf", code=2)
    assert said == "error: --to pdf: there is no Chromium here to print it; install one\n"
