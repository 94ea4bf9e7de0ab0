"""Takes the picture of the video page in docs/view.md.

make demo
python scripts/picture_view.py docs/view.png   # needs chromium with its driver, selenium
python scripts/picture_view.py docs/view.png RUN --frame 52 --track 5
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image

from segtrack.command.app import CONF
from segtrack.command.composition import compose_settings
from segtrack.runs import find
from segtrack.view import Library, start_view

SIZE = (1280, 860)


def main() -> None:
    """Take the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("path", type=Path, help="of the picture, PNG")
    parser.add_argument("run", nargs="?", help="default: the newest")
    parser.add_argument("--frame", type=int, default=59)
    parser.add_argument("--track", type=int)
    given = parser.parse_args()
    settings = compose_settings(CONF, []).mlflow
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        found = find(settings, [given.run] if given.run else [], folder)
        library = Library(settings, found, folder)
        with start_view(library) as view:
            key = library.named[0].key
            take(f"{view.address}runs/{key}/videos/1/", given)
        library.close()


def take(address: str, given: argparse.Namespace) -> None:
    """The page at a frame, with ground truth beside it."""
    from selenium import webdriver
    from selenium.webdriver.support.ui import WebDriverWait

    options = webdriver.ChromeOptions()
    for flag in ("headless=new", "no-sandbox", "disable-gpu", f"window-size={SIZE[0]},{SIZE[1]}"):
        options.add_argument(f"--{flag}")
    with webdriver.Chrome(options, webdriver.ChromeService("/usr/bin/chromedriver")) as browser:
        browser.get(f"{address}?frame={given.frame}")
        wait = WebDriverWait(browser, 30)
        at = f"#work[data-picture='{given.frame}'][data-whole='{given.frame}']"
        wait.until(lambda b: b.find_elements("css selector", at))
        press(browser, "6", "6", "5")  # ground truth beside it, trails
        if given.track is not None:
            browser.find_element("css selector", f"[data-track='{given.track}']").click()
        time.sleep(1)
        picture = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
    given.path.parent.mkdir(parents=True, exist_ok=True)
    picture.quantize(256, kmeans=2).save(given.path, optimize=True)


def press(browser: Any, *keys: str) -> None:
    from selenium.webdriver import ActionChains

    for key in keys:
        ActionChains(browser).send_keys(key).perform()


if __name__ == "__main__":
    main()
