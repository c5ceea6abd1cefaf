"""Words in pictures, by tesseract when it is installed.

Pillow decodes the picture within our limits and tesseract gets plain grey pixels (PGM), so that none of its own
picture readers ever sees what a stranger sent.
"""

from __future__ import annotations

import ctypes
import io
import os
import resource
import shutil
import signal
import subprocess
import warnings
from functools import partial

from PIL import Image, ImageSequence

from gateway.extract.limits import (
    CPU_SECONDS,
    OCR_FRAMES,
    OCR_LEAST_SIDE,
    OCR_SIDE,
    PIXELS,
    Absent,
    TooMuch,
    Unreadable,
)

FORMATS = ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP")
TESSERACT = shutil.which("tesseract")
_ORIENTATION = 0x0112  # Exif
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_PR_SET_PDEATHSIG = 1
_null = subprocess.DEVNULL
_prctl = ctypes.CDLL(None, use_errno=True).prctl

Image.MAX_IMAGE_PIXELS = None  # asked below, before anything is decoded


def prepare() -> None:
    """Load the picture formats, and open where tesseract's complaints go, while files may still be opened."""
    global _null
    Image.init()
    _null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)


def read_image(data: bytes, languages: str) -> str:
    """The words; empty for a picture without. Raises Absent (no tesseract), TooMuch, Unreadable."""
    if TESSERACT is None:
        raise Absent("tesseract is not installed")
    texts = []
    until = _spent() + CPU_SECONDS
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(data), formats=FORMATS) as image:
            warnings.simplefilter("ignore")
            image.draft("L", (OCR_SIDE, OCR_SIDE))  # a JPEG is decoded at a fraction of its size
            frames = OCR_FRAMES if image.format == "TIFF" else 1
            for number, frame in enumerate(ImageSequence.Iterator(image)):
                if number >= frames:
                    break
                if frame.width * frame.height > PIXELS:
                    raise TooMuch(f"{frame.width} x {frame.height} pixels")
                if min(frame.size) >= OCR_LEAST_SIDE:
                    texts.append(_recognise(_grey(frame), languages, until))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise Unreadable(str(error)) from error
    return "\n\n".join(text for text in texts if text)


def _grey(frame: Image.Image) -> bytes:
    if frame.has_transparency_data:
        whole = frame if frame.mode in ("RGBA", "LA") else frame.convert("RGBA")
        picture = Image.new("L", frame.size, 255)  # what is transparent lies on paper
        picture.paste(whole.convert("L"), mask=whole.getchannel("A"))
    elif frame.mode.startswith(("I", "F")):  # 16 bits and more
        picture = frame.convert("F").point(lambda value: value / 256).convert("L")
    else:
        picture = frame.convert("L")
    picture.thumbnail((OCR_SIDE, OCR_SIDE))
    turned = frame.getexif().get(_ORIENTATION, 1)
    picture = picture.transpose(_TURNS[turned]) if turned in _TURNS else picture
    out = io.BytesIO()
    picture.save(out, "PPM")
    return out.getvalue()


def _recognise(picture: bytes, languages: str, until: float) -> str:
    left = int(until - _spent())
    if left < 1:
        raise TooMuch("its pages take too long to read")
    child = subprocess.Popen(
        [TESSERACT or "", "stdin", "stdout", "-l", languages, "--dpi", "200", "--psm", "3"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=_null,
        env={"OMP_THREAD_LIMIT": "1", "LANG": "C.UTF-8"},
        preexec_fn=partial(_tied, left),
    )
    out, _ = child.communicate(picture)
    if child.returncode == -signal.SIGXCPU:
        raise TooMuch("it takes too long to read")
    if child.returncode != 0:
        raise Unreadable(f"tesseract ended with {child.returncode}")
    return out.decode("utf-8", "replace").replace("\f", "").strip()


def _spent() -> float:
    """Seconds of processor time this process and its children have used."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def _tied(seconds: int) -> None:
    """In the child: it ends with its parent, and has what is left of the file's processor time."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
