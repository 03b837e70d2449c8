"""A page in headless Chromium, driven the way a person would, with waiting instead of sleeping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

SECONDS = 60

SHIFT = """
const done = arguments[0];
new PerformanceObserver((list, observer) => {
  done(list.getEntries().filter((one) => !one.hadRecentInput).reduce((sum, one) => sum + one.value, 0));
}).observe({ type: "layout-shift", buffered: true });
setTimeout(() => done(0), 400);
"""

# Hands files to the page as a drop or a paste does; the browser's own drag cannot be driven from outside.
_HAND_OVER = """
const [addresses, kind] = arguments;
return Promise.all(addresses.map((one) => fetch(one).then((answer) => answer.blob()))).then((blobs) => {
  const carried = new DataTransfer();
  for (const blob of blobs) carried.items.add(new File([blob], "x.png", { type: blob.type }));
  if (kind === "paste") {
    document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: carried, bubbles: true, cancelable: true }));
    return true;
  }
  const event = (name) => new DragEvent(name, { dataTransfer: carried, bubbles: true, cancelable: true });
  document.body.dispatchEvent(event("dragenter"));
  const marked = !document.querySelector("#drop").hidden;
  document.body.dispatchEvent(event("drop"));
  return marked && document.querySelector("#drop").hidden;
});
"""


class Page:
    """The browser at a site, `width` pixels wide; a narrow one is a phone with a touch screen."""

    def __init__(self, driver: WebDriver, address: str, width: int) -> None:
        self.driver = driver
        self.address = address
        self.width = width
        self._command("Emulation.setTouchEmulationEnabled", enabled=width < 600)
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
        self._command("Emulation.setDeviceMetricsOverride", **size)

    def open(self, place: str = "") -> None:
        """Load a place of the site."""
        self.driver.get(self.address + place)

    def js(self, script: str, *arguments: Any) -> Any:
        """What the script returns."""
        return self.driver.execute_script(script, *arguments)

    def wait(self, condition: Callable[[], Any], seconds: float = SECONDS) -> Any:
        """The first true answer of `condition`; fails when there is none in time."""
        patient = WebDriverWait(self.driver, seconds, 0.03, [StaleElementReferenceException])
        return patient.until(lambda _: condition())

    def all(self, selector: str) -> list[WebElement]:
        """The elements that are there now."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def find(self, selector: str) -> WebElement:
        """The first element, as soon as it is there."""
        found: list[WebElement] = self.wait(lambda: self.all(selector))
        return found[0]

    def link(self, text: str) -> WebElement:
        """The link, button or summary that says `text`, as soon as it can be seen; not under what stays on top."""
        path = f"//*[self::a or self::button or self::summary][normalize-space()='{text}']"
        seen: WebElement = self.wait(
            lambda: next((one for one in self.driver.find_elements(By.XPATH, path) if one.is_displayed()), None)
        )
        self.js("arguments[0].scrollIntoView({ block: 'center' })", seen)
        return seen

    def click(self, selector: str, number: int = 0) -> None:
        """Click one of the elements, as soon as it is there and not of a page that is just being left."""
        self.wait(lambda: len(found := self.all(selector)) > number and not found[number].click())

    def follow(self, text: str) -> None:
        """Click the link, button or summary that says `text`, as soon as it can be seen."""
        self.wait(lambda: not self.link(text).click())

    def seen(self, selector: str) -> str:
        """The text of the first element as it is seen, "" where there is none; the page needs no script."""
        return next((one.text for one in self.all(selector)), "")

    def text(self, selector: str) -> str:
        """The text of the first element, "" where there is none."""
        return next(iter(self.texts(selector)), "")

    def texts(self, selector: str) -> list[str]:
        """The texts of all elements, with single spaces."""
        script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.textContent)"
        return [" ".join(one.split()) for one in self.js(script, selector)]

    def until(self, selector: str, part: str) -> None:
        """Wait until the first element's text holds `part`."""
        self.wait(lambda: part in self.text(selector))

    def search(self, words: str) -> None:
        """Type words into the bar and send them."""
        box = self.find("input[name=q]")
        box.clear()
        box.send_keys(words + "\n")

    def press(self, *keys: str) -> None:
        """Press keys wherever the focus is."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def hand_over(self, kind: str, *addresses: str) -> bool:
        """Drop or paste files; a drop returns whether the page showed that it takes it."""
        return bool(self.js(_HAND_OVER, list(addresses), kind))

    def focused(self, selector: str) -> int:
        """The place of the focused element among those of `selector`, -1 for none of them."""
        script = "return [...document.querySelectorAll(arguments[0])].indexOf(document.activeElement)"
        return int(self.js(script, selector))

    def without_script(self, off: bool) -> None:
        """Turn the page's scripts off, or on again."""
        self._command("Emulation.setScriptExecutionDisabled", value=off)

    def slow_line(self, on: bool) -> None:
        """Let 60 KB a second through, or all there is again."""
        self._command("Network.enable")
        rate = 60_000 if on else -1
        self._command(
            "Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=rate, uploadThroughput=-1
        )

    def scheme(self, name: str) -> None:
        """Let the system prefer light or dark."""
        self._command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def _command(self, name: str, **arguments: Any) -> None:
        self.driver.execute_cdp_cmd(name, arguments)
