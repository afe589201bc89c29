"""The browser of the tests; CI installs Chromium, see `.ci/run`."""

import os
import shutil

import pytest

CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None and "CI" not in os.environ, reason="needs Chromium, which CI has")
