"""The page in a real browser: type, generate, look at both pictures, move the slider; on a wide screen and on a phone."""

import zipfile
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from infsplign.app.server import serve
from tests.app.conftest import PROMPT
from tests.browser import CHROMIUM, needs_chromium

WAIT = 120_000
"""Milliseconds; the machine may be busy."""
SIZES = {"wide": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
pytestmark = needs_chromium


@pytest.fixture(scope="module")
def address(workshop):
    page, address = serve(workshop, ["shapes", "shapes-sd3"], host="127.0.0.1", port=0, block=False)
    yield address
    page.close()


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture
def opened(address, browser, request):
    """The page in a context of its own, and the hosts that it asks for anything."""
    hosts: set[str] = set()
    context = browser.new_context(viewport=SIZES[request.param], accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(WAIT)
    page.on("request", lambda asked: hosts.add(urlsplit(asked.url).hostname or ""))
    with page.expect_request("**/heartbeat/**"):  # the page's scripts are ready
        page.goto(address)
    expect(page.locator("#is-reading .is-read")).to_be_visible(timeout=WAIT)
    yield page, hosts
    context.close()


def type_prompt(page: Page, text: str) -> None:
    box = page.locator("#is-prompt textarea")
    box.fill("")
    box.press_sequentially(text)


def generate(page: Page, steps: int) -> None:
    """Presses the button, and waits for the verdict."""
    box = page.locator("#is-steps input[type=number]")
    box.fill(str(steps))
    box.press("Tab")
    page.locator("#is-generate").click()
    expect(page.locator("#is-verdict td")).to_have_count(4, timeout=WAIT)


@pytest.mark.parametrize("opened", ["wide"], indirect=True)
def test_type_generate_slide_and_download(opened, tmp_path):
    page, hosts = opened
    type_prompt(page, "a heart lefft of a diamond")
    expect(page.locator("#is-reading mark")).to_have_text("lefft", timeout=WAIT)
    page.locator("#is-generate").click()
    expect(page.locator("#is-status .is-failure")).to_contain_text("did you mean 'left'", timeout=WAIT)
    page.locator("#is-prompt textarea").fill("a heart above a star")  # as a paste, which presses no keys
    expect(page.locator("#is-reading .is-relation")).to_have_text("heart above star", timeout=WAIT)
    page.get_by_label("model", exact=True).click()
    page.get_by_role("option", name="shapes-sd3").click()
    expect(page.get_by_label("strength (own: 0.1)").first).to_be_visible(timeout=WAIT)
    page.get_by_label("model", exact=True).click()
    page.get_by_role("option", name="shapes", exact=True).click()
    expect(page.get_by_label("strength (own: 0.15)").first).to_be_visible(timeout=WAIT)
    type_prompt(page, "a heart")
    page.get_by_role("button", name="to the right of").click()
    expect(page.locator("#is-prompt textarea")).to_have_value("a heart to the right of", timeout=WAIT)
    page.get_by_role("button", name="a diamond").click()
    expect(page.locator("#is-prompt textarea")).to_have_value(PROMPT, timeout=WAIT)
    expect(page.locator("#is-reading .is-relation")).to_have_text("heart right of diamond", timeout=WAIT)

    generate(page, 8)
    for method in ("unguided", "guided"):
        picture = page.locator(f"#is-{method} img")
        expect(picture).to_be_visible(timeout=WAIT)
        assert picture.evaluate("image => image.naturalWidth") == 384
    expect(page.locator("#is-attention figure")).to_have_count(2)
    expect(page.locator("#is-attention .is-key")).to_contain_text("step 4 of 8")
    page.locator("#is-step input[type=range]").fill("3")
    expect(page.locator("#is-attention .is-key")).to_contain_text("step 3 of 8", timeout=WAIT)
    expect(page.locator("#is-curves img")).to_be_visible()
    expect(page.locator("#is-gallery .thumbnail-item")).to_have_count(2)

    with page.expect_download() as download:
        page.locator("#is-download").click()
    download.value.save_as(tmp_path / "all.zip")
    assert "infsplign-images/shapes/guided/0001_00.png" in zipfile.ZipFile(tmp_path / "all.zip").namelist()
    assert hosts == {"127.0.0.1"}
    assert page.locator(".toast-body").count() == 0


@pytest.mark.parametrize("opened", ["phone"], indirect=True)
def test_both_pictures_fit_on_a_phone_and_nothing_is_shared_with_other_visitors(opened):
    page, _ = opened
    assert page.locator("#is-gallery .thumbnail-item").count() == 0
    generate(page, 2)
    boxes = [page.locator(f"#is-{method} img").bounding_box() for method in ("unguided", "guided")]
    assert boxes[0]["y"] == pytest.approx(boxes[1]["y"], abs=2)
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    assert boxes[1]["x"] + boxes[1]["width"] <= 390
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    expect(page.locator("#is-gallery .thumbnail-item")).to_have_count(2)
