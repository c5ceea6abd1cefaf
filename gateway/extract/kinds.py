"""What a file is: by its first octets, else by its type, else by its name."""

from __future__ import annotations

from gateway.extract.types import Kind

_IMAGES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\x00", b"MM\x00*")
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_CSV_TYPES = {"text/csv", "text/tab-separated-values", "application/csv", "text/comma-separated-values"}
_CSV_SUFFIXES = {"csv", "tsv"}
_TEXT_TYPES = {
    "application/json", "application/ld+json", "application/x-ndjson", "application/xml", "application/yaml",
    "application/x-yaml", "application/toml", "application/xhtml+xml", "application/javascript",
}  # fmt: skip
_TEXT_SUFFIXES = {
    "txt", "text", "md", "markdown", "rst", "json", "jsonl", "ndjson", "html", "htm", "xhtml", "xml", "yaml", "yml",
    "toml", "ini", "log", "diff", "patch", "ics", "vcf", "srt",
}  # fmt: skip
_OFFICE = "application/vnd.openxmlformats-officedocument.", "application/vnd.oasis.opendocument."
_OFFICE_SUFFIXES = {"docx", "docm", "xlsx", "xlsm", "pptx", "pptm", "odt", "ods", "odp"}
_NEVER = (
    "audio/",
    "video/",
    "font/",
    "message/",
    "application/pgp-",
    "application/pkcs7-",
    "application/x-pkcs7-",
)


def hopeless(content_type: str) -> bool:
    """Whether a type (lower case) says that reading it is not worth while."""
    return content_type.startswith(_NEVER)


def kind_of(data: bytes, content_type: str, filename: str | None) -> Kind | None:
    """The reader for a file, None when there is none. ``office`` means a zip archive that may be one."""
    suffix = (filename or "").rpartition(".")[2].lower()
    if b"%PDF-" in data[:1024]:
        return "pdf"
    if _is_image(data):
        return "ocr"
    if data.startswith(_ZIP):
        return "office"
    if hopeless(content_type):
        return None
    if content_type == "application/pdf":
        return "pdf"
    if content_type in _CSV_TYPES or suffix in _CSV_SUFFIXES:
        return "csv"
    if content_type.startswith("text/") or content_type in _TEXT_TYPES:
        return "text"
    if content_type.startswith(_OFFICE):
        return "office"
    if content_type.startswith("image/"):
        return None
    if suffix in _TEXT_SUFFIXES:
        return "text"
    if suffix == "pdf":
        return "pdf"
    return "office" if suffix in _OFFICE_SUFFIXES else None


def _is_image(data: bytes) -> bool:
    if data.startswith(b"BM"):  # as many a text does: the length of the file follows (BITMAPFILEHEADER)
        return int.from_bytes(data[2:6], "little") == len(data)
    return data.startswith(_IMAGES) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")
