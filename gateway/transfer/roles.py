"""What a folder is for, when only its name says so: the names that mail programs and providers give."""

from __future__ import annotations

_NAMES = {
    "inbox": ("inbox",),
    "sent": (
        "sent", "sent mail", "sent items", "sent messages", "gesendet", "gesendete elemente", "gesendete objekte",
        "envoyés", "éléments envoyés", "messages envoyés", "enviados", "elementos enviados", "posta inviata",
        "inviata", "verzonden", "verzonden items", "itens enviados", "送信済み", "已发送", "отправленные",
    ),
    "drafts": (
        "draft", "drafts", "entwürfe", "brouillons", "borradores", "bozze", "concepten", "rascunhos", "черновики",
    ),
    "junk": (
        "junk", "spam", "junk e-mail", "junk email", "junk mail", "bulk mail", "spamverdacht", "courrier indésirable",
        "correo no deseado", "posta indesiderata", "ongewenste e-mail", "спам",
    ),
    "trash": (
        "trash", "deleted", "deleted items", "deleted messages", "bin", "papierkorb", "gelöschte elemente",
        "corbeille", "éléments supprimés", "papelera", "elementos eliminados", "cestino", "prullenbak", "lixeira",
        "корзина",
    ),
    "archive": ("archive", "archives", "archiv", "archivo", "archivio", "archief", "arquivo"),
}  # fmt: skip
_BY_NAME = {name: role for role, names in _NAMES.items() for name in names}


def role_by_name(folder: str) -> str:
    """The role of a folder by its name alone; ``other`` when it says nothing.

    ``[Gmail]/Sent Mail`` and ``INBOX/Sent`` are what their last level says; deeper levels are a person's own.
    """
    levels = folder.casefold().split("/")
    if len(levels) == 2 and levels[0] in ("inbox", "[gmail]", "[google mail]"):
        levels = levels[1:]
    return _BY_NAME.get(levels[0], "other") if len(levels) == 1 else "other"
