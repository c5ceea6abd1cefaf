"""What the tests of gateway/extract share."""

from __future__ import annotations

import shutil

import pytest

needs_tesseract = pytest.mark.skipif(
    shutil.which("tesseract") is None, reason="tesseract-ocr is not installed"
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
