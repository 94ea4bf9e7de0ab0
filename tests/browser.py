"""A headless Chromium that is driven as a person would, with events of mouse, keys and fingers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FLAGS = (
    "headless=new",
    "no-sandbox",
    "disable-gpu",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
    "no-first-run",
    "force-prefers-reduced-motion",
    "window-size=1280,900",
)


@contextmanager
def open_browser(folder: Path) -> Iterator[Any]:
    """A browser with an empty profile in ``folder``; skips the test where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    binary = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("no chromium with its driver: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (*FLAGS, f"user-data-dir={folder / 'profile'}"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        yield browser
    finally:
        browser.quit()


class Person:
    """Someone in front of the page of one file. Places are px of the picture."""

    def __init__(self, browser: Any, width: int, height: int) -> None:
        self.browser, self.size = browser, (width, height)

    def open(self, address: str) -> None:
        self.browser.get(address)
        self.ready()

    def ready(self) -> None:
        self.wait(lambda: self.all("#work[data-ready]"))

    def wait(self, true: Any, seconds: float = 15) -> Any:
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self.browser, seconds, 0.05).until(lambda _: true())

    def all(self, css: str) -> list[Any]:
        return list(self.browser.find_elements("css selector", css))

    def one(self, css: str) -> Any:
        return self.browser.find_element("css selector", css)

    def steady(self, do: Any) -> Any:
        """``do()``, again where the page drew a list anew between finding a row and using it."""
        from selenium.common.exceptions import StaleElementReferenceException
        from selenium.webdriver.support.ui import WebDriverWait

        wait = WebDriverWait(self.browser, 15, 0.05, [StaleElementReferenceException])
        return wait.until(lambda _: (do(),))[0]

    def texts(self, css: str) -> list[str]:
        return list(self.steady(lambda: [one.text for one in self.all(css)]))

    def saved(self) -> None:
        self.wait(lambda: self.one("#saved").text == "saved")

    def said(self) -> str:
        return str(self.one("#hint").text)

    def press(self, *keys: str) -> None:
        self._chain().send_keys(*keys).perform()

    def hold(self, key: str, other: str) -> None:
        self._chain().key_down(key).send_keys(other).key_up(key).perform()

    def click(self, *places: tuple[float, float]) -> None:
        for place in places:
            actions = self._pointer()
            self._to(actions, place).click()
            actions.perform()

    def double_click(self, place: tuple[float, float]) -> None:
        actions = self._pointer()
        self._to(actions, place).double_click()
        actions.perform()

    def right_click(self, place: tuple[float, float]) -> None:
        actions = self._pointer()
        self._to(actions, place).context_click()
        actions.perform()

    def drag(
        self, start: tuple[float, float], end: tuple[float, float], kind: str = "mouse"
    ) -> None:
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        actions = self._pointer(kind)
        self._to(actions, start).pointer_down()
        self._to(actions, middle)
        self._to(actions, end).pointer_up()
        actions.perform()

    def tap(self, place: tuple[float, float]) -> None:
        actions = self._pointer("touch")
        self._to(actions, place).pointer_down().pointer_up()
        actions.perform()

    def wheel(self, place: tuple[float, float], down: int) -> None:
        from selenium.webdriver.common.actions.wheel_input import ScrollOrigin

        x, y = self.on_screen(place)
        origin = ScrollOrigin.from_viewport(round(x), round(y))
        self._chain().scroll_from_origin(origin, 0, down).perform()

    def on_screen(self, place: tuple[float, float]) -> tuple[float, float]:
        """Where a pixel of the picture is in the window."""
        box = self.browser.execute_script(
            "const b = document.querySelector('.leaflet-image-layer').getBoundingClientRect();"
            "return [b.left, b.top, b.width, b.height]"
        )
        left, top, width, height = box
        return left + place[0] * width / self.size[0], top + place[1] * height / self.size[1]

    def shapes(self) -> int:
        return len(self.all("#stage path[data-id]"))

    def errors(self) -> list[str]:
        """What the console says since the last call."""
        log = self.browser.get_log("browser")
        return [one["message"] for one in log if one["level"] in ("SEVERE", "WARNING")]

    def _chain(self) -> Any:
        from selenium.webdriver import ActionChains

        return ActionChains(self.browser, duration=20)

    def _pointer(self, kind: str = "mouse") -> Any:
        from selenium.webdriver.common.actions.action_builder import ActionBuilder
        from selenium.webdriver.common.actions.pointer_input import PointerInput

        return ActionBuilder(self.browser, mouse=PointerInput(kind, kind), duration=30)

    def _to(self, actions: Any, place: tuple[float, float]) -> Any:
        x, y = self.on_screen(place)
        return actions.pointer_action.move_to_location(round(x), round(y))
