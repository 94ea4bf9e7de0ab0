"""Takes the picture of the review page in the README, or serves what is on it to try the page.

    python scripts/picture_review.py docs/review.png    # needs chromium, chromium-driver, selenium
    python scripts/picture_review.py --serve            # prints the address; Ctrl-C ends it

Everything is made: stills and a video of the simulator, which it labels by the network that comes
with segtrack, and a loopback platform that they are sent to, in a folder that is gone afterwards.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import requests
from PIL import Image
from ultralytics import YOLO

import segtrack
from labellerr_loopback import Credentials, Delays, Emulator, start_emulator
from trafficsim import CLASS_NAMES, SimulatorKnobs, render_still, render_video

KNOBS = SimulatorKnobs(width=960, height=540, density=0.7, light="day", fog=0.0)
STILLS, FRAMES, SEED = 12, 60, 11
SHOWN, SELECTED = 10, "car 0.87"  # of the picture in the README: which still, which object
COLOURS = ("#4fc3f7", "#ffb74d", "#81c784", "#e57373")
KEYS = ("api_key", "api_secret", "client_id")
WEIGHTS = Path(segtrack.__file__).parent / "model/ultralytics/yolov8n-seg-sim.pt"
BANDS = ((0.0, 0.5, "low"), (0.5, 0.8, "medium"), (0.8, 1.01, "high"))


class Sender:
    """Speaks the platform's API, as the adapter does."""

    def __init__(self, emulator: Emulator) -> None:
        self.url, self.session = emulator.url, requests.Session()
        self.session.trust_env = False
        self.session.headers.update({key: key for key in KEYS})

    def ask(self, method: str, path: str, **options: Any) -> Any:
        answer = self.session.request(method, self.url + path, timeout=60, **options)
        answer.raise_for_status()
        return answer.json()["response"]

    def project(self, name: str, files: list[Path], kind: str) -> str:
        """A project of files whose questions are the simulator's classes."""
        wish = {"file_names": [file.name for file in files]}
        made = self.ask("POST", "/connectors/connect/local", json=wish)
        for file in files:
            link = made["resumable_upload_links"][file.name]
            start = requests.post(link, headers={"x-goog-resumable": "start"}, timeout=60)
            requests.put(start.headers["Location"], data=file.read_bytes(), timeout=60)
        body: dict[str, Any] = {"dataset_name": name, "data_type": kind, "path": "local"}
        body["connection_id"] = made["temporary_connection_id"]
        dataset = self.ask("POST", "/datasets/create", json=body)["dataset_id"]
        self.ask("GET", f"/datasets/{dataset}")
        questions: list[dict[str, Any]] = [
            {"question_number": i, "question": text, "option_type": "polygon", "color": colour}
            for i, (text, colour) in enumerate(zip(CLASS_NAMES, COLOURS, strict=True))
        ]
        wishes: dict[str, Any] = {"templateName": name, "questions": questions}
        path = f"/annotations/create_template?data_type={kind}"
        template = self.ask("POST", path, json=wishes)["template_id"]
        rounds = ("annotation", "review", "client_review")
        body = {
            "project_name": name,
            "attached_datasets": [dataset],
            "data_type": kind,
            "annotation_template_id": template,
            "rotations": {f"{one}_rotation_count": 1 for one in rounds},
        }
        return str(self.ask("POST", "/projects/create", json=body)["project_id"])

    def preannotate(self, project: str, content: Any, form: str, band: str | None = None) -> None:
        query = {"project_id": project, "answer_format": form}
        query |= {"conf_bucket": band} if band else {}
        part = {"file": ("answers.json", json.dumps(content).encode())}
        path = "/actions/upload_answers"
        job = self.ask("POST", path, params=query, files=part)["job_id"]
        query = {"project_id": project, "job_id": job}
        status = self.ask("GET", "/actions/upload_answers_status", params=query)
        assert status["status"] == "completed", status

    def accept(self, project: str, names: list[str], status: str) -> None:
        found = self.ask("POST", f"/search/project_files?project_id={project}", json={"size": 1000})
        ids = [file["file_id"] for file in found["files"] if file["file_name"] in names]
        body = {"file_ids": ids, "new_status": status}
        self.ask("POST", f"/actions/files/bulk_assign?project_id={project}", json=body)


@contextmanager
def filled_platform(folder: Path) -> Iterator[tuple[Emulator, str, str]]:
    """A platform with a project of pictures and one of a video; gives their ids."""
    network = YOLO(WEIGHTS)
    with start_emulator(
        folder / "platform", credentials=Credentials(*KEYS), delays=Delays(0, 0, 0)
    ) as emulator:
        sender = Sender(emulator)
        pictures = send_pictures(sender, network, folder)
        video = send_video(sender, network, folder)
        yield emulator, pictures, video


def send_pictures(sender: Sender, network: YOLO, folder: Path) -> str:
    """Stills with what the network sees in them, in three bands of confidence."""
    files, found = [], []
    for index in range(STILLS):
        path = folder / f"street_{index:02}.jpg"
        cv2.imwrite(str(path), render_still(KNOBS, SEED, index).image)
        files.append(path)
        (result,) = network.predict(path, imgsz=960, conf=0.25, verbose=False, retina_masks=True)
        for outline, box in zip(result.masks.xy if result.masks else [], result.boxes, strict=True):
            found.append((index, int(box.cls), float(box.conf), simple(outline)))
    project = sender.project("streets review", files, "image")
    images = [{"id": i, "file_name": file.name} for i, file in enumerate(files)]
    classes = [{"id": i, "name": name} for i, name in enumerate(CLASS_NAMES)]
    for low, high, band in BANDS:
        chosen = [one for one in found if low <= one[2] < high and len(one[3]) >= 3]
        annotations = [
            {
                "id": number,
                "image_id": image,
                "category_id": class_id,
                "score": round(score, 3),
                "segmentation": [[float(v) for v in outline.round(1).ravel()]],
            }
            for number, (image, class_id, score, outline) in enumerate(chosen)
        ]
        content = {"images": images, "annotations": annotations, "categories": classes}
        sender.preannotate(project, content, "coco_json", band)
    for start, status in enumerate(("accepted", "rejected", "skipped")):
        sender.accept(project, [files[start].name, *([files[4].name] * (start == 0))], status)
    return project


def send_video(sender: Sender, network: YOLO, folder: Path) -> str:
    """A video with the network's tracks."""
    path = folder / "crossing.mp4"
    tracks: dict[tuple[int, int], dict[str, Any]] = {}
    with closing(av.open(str(path), "w")) as container:
        stream = container.add_stream("libx264", rate=int(KNOBS.fps))
        stream.width, stream.height, stream.pix_fmt = KNOBS.width, KNOBS.height, "yuv420p"
        for number, frame in enumerate(render_video(KNOBS, SEED, 0, FRAMES)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame.image, "bgr24")))
            (result,) = network.track(
                frame.image, imgsz=960, conf=0.3, verbose=False, persist=True, retina_masks=True
            )
            outlines = result.masks.xy if result.masks and result.boxes.id is not None else []
            for outline, box in zip(outlines, result.boxes, strict=bool(outlines)):
                points = [{"x": float(x), "y": float(y)} for x, y in simple(outline).round(1)]
                if len(points) >= 3:
                    entry = {"frame": number, "answer": points, "timestamp": number / KNOBS.fps}
                    frames = tracks.setdefault((int(box.cls), int(box.id)), {})
                    frames[str(number)] = entry
        container.mux(stream.encode())
    project = sender.project("crossing video review", [path], "video")
    annotations = [
        {
            "question_name": name,
            "question_type": "polygon",
            "answer": [
                {"startFrame": int(next(iter(frames))), "frames": frames}
                for (class_id, _), frames in tracks.items()
                if class_id == index and len(frames) > 5
            ],
        }
        for index, name in enumerate(CLASS_NAMES)
    ]
    content = [{"file_name": path.name, "annotations": annotations}]
    sender.preannotate(project, content, "video_json")
    return project


def simple(outline: np.ndarray) -> np.ndarray:
    """An outline of fewer points, at most 1.2 px from the network's."""
    ring = np.asarray(outline, np.float32).reshape(-1, 1, 2)
    return np.asarray(cv2.approxPolyDP(ring, 1.2, True).reshape(-1, 2)) if len(ring) else ring


def take(address: str, path: Path) -> None:
    """The page of one picture, with one of its objects selected."""
    from selenium import webdriver
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    options = webdriver.ChromeOptions()
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "window-size=1200,843"):
        options.add_argument(f"--{flag}")
    with webdriver.Chrome(options, webdriver.ChromeService("/usr/bin/chromedriver")) as browser:
        browser.get(address)
        browser.find_elements(By.CSS_SELECTOR, ".grid a")[SHOWN].click()
        ready = (By.CSS_SELECTOR, "#work[data-ready]")
        WebDriverWait(browser, 20).until(lambda b: b.find_elements(*ready))
        rows = browser.find_elements(By.CSS_SELECTOR, "#objects button")
        next(row for row in rows if row.text.split() == SELECTED.split()).click()
        time.sleep(1)
        picture = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.quantize(256, kmeans=2).save(path, optimize=True)


def main() -> None:
    """Take the picture, or serve."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path, nargs="?", help="of the picture, PNG")
    parser.add_argument("--serve", action="store_true", help="keep the platform up")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        filled_platform(Path(folder)) as (emulator, pictures, video),
    ):
        print(emulator.page(), emulator.page(pictures), emulator.page(video), sep="\n", flush=True)
        if given.path:
            take(emulator.page(pictures), given.path)
        if given.serve:
            with suppress(KeyboardInterrupt):
                threading.Event().wait()


if __name__ == "__main__":
    main()
