"""The text of attachments: PDF, Office documents, pictures (OCR), tables and plain text (contract: OpenMail §6).

A file that a stranger sent is read in a process of its own kind, which can be killed (``pool``, on the mechanism
of ``gateway.mime.workers.pool``), which may open neither a socket nor a file of the gateway's (``sandbox``), and which
has 10 s of processor and 256 MB for each file (``limits``). ``document`` decides what a
file is, by its first octets before its type and name (``kinds``), and hands it to one reader a kind: ``pdf``,
``ocr``, ``office``, ``plain``. Bombs end as ``skipped_too_large``; what cannot be read ends as ``pdf_error`` and its
like; the mail is unharmed either way.
"""
