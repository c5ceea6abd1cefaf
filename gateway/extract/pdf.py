"""The text layer of a PDF, page after page, as far as people see it."""

from __future__ import annotations

import io
import logging

import pypdf
from pypdf.errors import LimitReachedError, PyPdfError

from gateway.extract.limits import PDF_PAGES, PDF_STREAM_OCTETS, TEXT_CHARS, TooMuch, Unreadable
from gateway.extract.pdf_ink import UnseenText

logging.getLogger("pypdf").setLevel(logging.CRITICAL)
_CONFIGURATION = pypdf.get_configuration().with_overwrites(
    maximum_declared_stream_length=PDF_STREAM_OCTETS,
    array_based_stream_maximum_output_length=PDF_STREAM_OCTETS,
    lzw_maximum_output_length=PDF_STREAM_OCTETS,
    run_length_maximum_output_length=PDF_STREAM_OCTETS,
    zlib_maximum_output_length=PDF_STREAM_OCTETS,
    stream_decoding_work_maximum_length=4 * PDF_STREAM_OCTETS,
    jbig2dec_binary=None,
)


def read_pdf(data: bytes) -> str:
    """The text; empty for one made of pictures. Raises TooMuch, Unreadable."""
    pages: list[str] = []
    room = TEXT_CHARS
    try:
        with pypdf.apply_configuration(_CONFIGURATION):
            reader = pypdf.PdfReader(io.BytesIO(data))
            if reader.is_encrypted and not reader.decrypt(""):
                raise Unreadable("it needs a password")
            for number, page in enumerate(reader.pages):
                if room <= 0 or number >= PDF_PAGES:
                    break
                text = page.extract_text(visitor_operand_before=UnseenText(page)).strip()
                room -= len(text) + 2
                pages.append(text)
    except LimitReachedError as error:
        raise TooMuch(str(error)) from error
    except PyPdfError as error:
        raise Unreadable(str(error)) from error
    return "\n\n".join(one for one in pages if one)
