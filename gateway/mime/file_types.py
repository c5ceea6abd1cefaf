"""How the name of a file ends by its media type, and the media type by how its name ends.

A table of our own comes before Python's, which lacks what mail carries most (and differs between its versions); the
machine's ``/etc/mime.types`` is not read, so that a message has the same names everywhere.
"""

from __future__ import annotations

import mimetypes

from gateway.mime.media_type import OCTETS, media_type

_TABLE = """
application/epub+zip .epub
application/gzip .gz
application/java-archive .jar
application/json .json
application/msword .doc
application/octet-stream .bin
application/ogg .ogx
application/pdf .pdf
application/pgp-signature .asc
application/pkcs7-mime .p7m
application/pkcs7-signature .p7s
application/postscript .ps
application/rtf .rtf
application/sql .sql
application/vnd.apple.pages .pages
application/vnd.apple.numbers .numbers
application/vnd.apple.keynote .key
application/vnd.apple.pkpass .pkpass
application/vnd.android.package-archive .apk
application/vnd.ms-excel .xls
application/vnd.ms-excel.sheet.macroenabled.12 .xlsm
application/vnd.ms-outlook .msg
application/vnd.ms-powerpoint .ppt
application/vnd.ms-project .mpp
application/vnd.ms-tnef .dat
application/vnd.ms-word.document.macroenabled.12 .docm
application/vnd.oasis.opendocument.presentation .odp
application/vnd.oasis.opendocument.spreadsheet .ods
application/vnd.oasis.opendocument.text .odt
application/vnd.openxmlformats-officedocument.presentationml.presentation .pptx
application/vnd.openxmlformats-officedocument.presentationml.slideshow .ppsx
application/vnd.openxmlformats-officedocument.spreadsheetml.sheet .xlsx
application/vnd.openxmlformats-officedocument.spreadsheetml.template .xltx
application/vnd.openxmlformats-officedocument.wordprocessingml.document .docx
application/vnd.openxmlformats-officedocument.wordprocessingml.template .dotx
application/vnd.rar .rar
application/vnd.visio .vsd
application/x-7z-compressed .7z
application/x-bzip2 .bz2
application/x-pkcs12 .p12
application/x-tar .tar
application/x-xz .xz
application/xhtml+xml .xhtml
application/xml .xml
application/yaml .yaml
application/zip .zip
application/zstd .zst
audio/aac .aac
audio/amr .amr
audio/flac .flac
audio/midi .mid
audio/mp4 .m4a
audio/mpeg .mp3
audio/ogg .ogg
audio/opus .opus
audio/wav .wav
audio/webm .weba
font/otf .otf
font/ttf .ttf
font/woff .woff
font/woff2 .woff2
image/avif .avif
image/bmp .bmp
image/gif .gif
image/heic .heic
image/heif .heif
image/jpeg .jpg
image/png .png
image/svg+xml .svg
image/tiff .tif
image/vnd.adobe.photoshop .psd
image/vnd.microsoft.icon .ico
image/webp .webp
message/rfc822 .eml
text/calendar .ics
text/css .css
text/csv .csv
text/html .html
text/javascript .js
text/markdown .md
text/plain .txt
text/richtext .rtx
text/tab-separated-values .tsv
text/vcard .vcf
video/3gpp .3gp
video/mp4 .mp4
video/mpeg .mpeg
video/ogg .ogv
video/quicktime .mov
video/webm .webm
video/x-matroska .mkv
video/x-ms-wmv .wmv
video/x-msvideo .avi
application/ics .ics
application/javascript .js
application/ms-tnef .dat
application/pgp-encrypted .asc
application/pgp-keys .asc
application/x-gzip .gz
application/x-pkcs7-mime .p7m
application/x-pkcs7-signature .p7s
application/x-rar-compressed .rar
application/x-zip-compressed .zip
audio/mp3 .mp3
audio/x-m4a .m4a
audio/x-wav .wav
image/jpg .jpg
image/pjpeg .jpg
image/x-icon .ico
image/x-png .png
message/global .eml
text/directory .vcf
text/rtf .rtf
text/x-vcalendar .ics
text/x-vcard .vcf
text/xml .xml
text/yaml .yaml
"""
_SUFFIXES = dict(line.split() for line in _TABLE.split("\n") if line)
_BY_SUFFIX = {suffix: name for name, suffix in reversed(_SUFFIXES.items())} | {  # the first of the table
    ".dat": OCTETS,
    ".htm": "text/html",
    ".jpeg": "image/jpeg",
    ".log": "text/plain",
    ".tiff": "image/tiff",
    ".vcs": "text/x-vcalendar",
    ".yml": "application/yaml",
}
_PYTHON = mimetypes.MimeTypes(filenames=())
_STRUCTURED = {"xml": ".xml", "json": ".json", "zip": ".zip", "gzip": ".gz", "yaml": ".yaml"}  # RFC 6839
_WHOLE_KINDS = {"text": ".txt", "message": ".txt"}


def suffix_of(content_type: str) -> str:
    """How the name of a file of this type ends, with its dot; empty where nobody knows."""
    name = media_type(content_type).name
    found = _SUFFIXES.get(name) or _PYTHON.guess_extension(name)
    return found or _STRUCTURED.get(name.rpartition("+")[2]) or _WHOLE_KINDS.get(name.partition("/")[0]) or ""


def type_of(filename: str) -> str:
    """The media type of a file by how its name ends; ``application/octet-stream`` where nobody knows."""
    dot = filename.rfind(".")
    suffix = filename[dot:].lower() if dot >= 0 else ""
    return _BY_SUFFIX.get(suffix) or _PYTHON.guess_type(f"file{suffix}")[0] or OCTETS


def named(filename: str | None, content_type: str, stem: str = "attachment") -> str:
    """``filename``; where there is none, ``stem`` with the suffix of the type."""
    return filename or f"{stem}{suffix_of(content_type)}"
