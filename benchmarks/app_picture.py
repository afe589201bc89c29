"""The picture of the page in docs/how-to/app.md: the page in Chromium, after one prompt.

python -m benchmarks.app_picture --out docs/images/app.png      (needs Chromium and the extra `test`; a minute)
"""

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from infsplign.app.server import serve
from infsplign.app.workshop import Workshop
from infsplign.generation.options import GenerateOptions

PROMPT = "a cat to the left of a dog"
SIZE = {"width": 1280, "height": 1030}
WAIT = 300_000
"""Milliseconds for both images."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/images/app.png"))
    parser.add_argument("--seed", type=int, default=2)
    options = parser.parse_args()
    served, address = serve(Workshop(GenerateOptions(device="cpu", dtype="fp32")), ["pictures"], host="127.0.0.1", port=0, block=False)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        page = chromium.new_page(viewport=SIZE)
        with page.expect_request("**/heartbeat/**"):
            page.goto(address)
        page.locator("#is-prompt textarea").fill(PROMPT)
        page.get_by_label("seed").fill(str(options.seed))
        page.get_by_label("seed").press("Tab")
        page.locator("#is-generate").click()
        expect(page.locator("#is-verdict td")).to_have_count(4, timeout=WAIT)
        page.wait_for_timeout(3000)  # the attention and the curves come after the verdict
        page.evaluate("window.scrollTo(0, 0)")
        page.screenshot(path=options.out)
        chromium.close()
    served.close()


if __name__ == "__main__":
    main()
