"""How much of a hostile file is read, and how a reader says that it stops. Octets, characters, counts."""

from __future__ import annotations

FILE_OCTETS = 10 * 1024 * 1024  # a larger file is not read at all
TEXT_CHARS = 50_000  # kept of one attachment
MESSAGE_CHARS = 500_000  # kept of all attachments of a message: they travel in its event
CPU_SECONDS = 10  # of processor time for one attachment
MESSAGE_SECONDS = 20.0  # of wall clock for all attachments of a message
QUEUE_SECONDS = 30.0  # until the first of them is begun, when all processes are busy
MEMORY = 256 * 1024 * 1024  # address space of a process (a third of it is Python and the libraries)
UNPACKED_OCTETS = 64 * 1024 * 1024  # read out of one zip archive
ARCHIVE_MEMBERS = 10_000
PDF_STREAM_OCTETS = 24 * 1024 * 1024  # one stream, unpacked
PDF_PAGES = 2_000
PIXELS = 20_000_000  # of a picture, as decoded (a JPEG is decoded at the size it is read at)
OCR_SIDE = 3_500  # pixels: a page of A4 at 300 dpi; larger ones are made smaller
OCR_LEAST_SIDE = 12  # pixels: nothing smaller holds a line of text
OCR_FRAMES = 5  # pages of a TIFF


class TooMuch(Exception):
    """The file asks for more than it may have: ``skipped_too_large``."""


class Unreadable(Exception):
    """The file is not what it says, damaged or encrypted: ``…_error``."""


class Absent(Exception):
    """Nothing here reads this kind of file: ``unsupported``."""
