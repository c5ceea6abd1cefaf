"""Undoing a setup: everything in the manifest, in the opposite order. Data stays unless it is to be purged."""

from __future__ import annotations

from pathlib import Path

from gateway.setup import host_facts, layout, manifest, proxy_steps
from gateway.setup.host import CommandFailed, Hands
from gateway.setup.manifest import Manifest

GONE, KEPT, BACK = "removed", "kept", "started again"

_RENDERED = (layout.POSTFIX_CONFIG, layout.RUN)
"""Directories whose content is made anew at each start."""
_HOLD_DATA = (layout.DATA, layout.POSTFIX_SPOOL, layout.POSTFIX_DATA)
"""Directories of Postern's data alone, whoever made them."""


def remove(hands: Hands, book: Manifest, path: Path, *, purge: bool) -> list[tuple[str, str, str]]:
    """Undo what ``book`` holds; answers (what happened, to what, words). Raises CommandFailed, OSError: repeat it."""
    found: list[tuple[str, str, str]] = []

    def save() -> None:
        if not hands.dry:
            manifest.save(hands.at(path), book)

    book.done = False
    save()
    _units(hands, book, found)
    found += proxy_steps.detach(hands, book)
    save()
    _files(hands, book, found)
    if hands.live:
        hands.run("systemctl", "daemon-reload")
    _firewall(hands, book, found)
    for rendered in _RENDERED:
        if hands.status(rendered) is not None:
            hands.remove_tree(rendered)
    _directories(hands, book, found, purge=purge)
    save()
    _stock(hands, book, found)
    if purge:
        _account(hands, book, found)
    if book.packages:
        found.append(
            (KEPT, f"packages {' '.join(book.packages)}", "setup installed them; apt-get remove takes them")
        )
    if book.data and not purge:
        found.append((KEPT, "your data", "`postern setup --remove --purge` deletes it"))
        save()
    else:
        hands.remove_tree(path.parent)
    return found


def _units(hands: Hands, book: Manifest, found: list[tuple[str, str, str]]) -> None:
    ours = list(reversed(book.units))
    further = host_facts.further_gateways(hands)
    if hands.live:
        # timers and paths may have started others meanwhile
        files = {Path(one).name for one in book.files if Path(one).parent == layout.UNITS}
        others = [*further, *sorted(files - set(ours))]
        running = [one for one in (*others, *ours) if host_facts.unit_state(hands, one).active]
        if running:
            hands.run("systemctl", "stop", *running)
        for timer in sorted(one for one in files if one.endswith(".timer")):
            # when it ran last; not `systemctl clean`, which needs dbus: a small installation has none
            hands.remove(Path(f"/var/lib/systemd/timers/stamp-{timer}"))
    enabled = [one for one in ours if host_facts.unit_state(hands, one).enabled]
    if further:
        enabled.append(host_facts.FURTHER)  # that is each of them
    if enabled:
        hands.run("systemctl", "disable", *enabled)
    if ours:
        found.append((GONE, " ".join(ours), "stopped and disabled"))
    book.units, book.pending = [], []


def _files(hands: Hands, book: Manifest, found: list[tuple[str, str, str]]) -> None:
    for name in reversed(list(book.files)):
        path, entry = Path(name), book.files[name]
        held = hands.read(path)
        if held is not None:
            if entry.existed:
                found.append((KEPT, name, "it was there before"))
            elif not entry.copy and manifest.digest(held) not in entry.ours:
                found.append((KEPT, name, "edited by hand: delete it yourself"))
            else:
                hands.remove(path)
                found.append((GONE, name, ""))
        del book.files[name]
    book.settings = {}


def _firewall(hands: Hands, book: Manifest, found: list[tuple[str, str, str]]) -> None:
    for rule in list(book.firewall):
        try:
            hands.run(*rule.split())
        except CommandFailed as error:
            found.append((KEPT, rule, str(error)))
        book.firewall.remove(rule)


def _directories(hands: Hands, book: Manifest, found: list[tuple[str, str, str]], *, purge: bool) -> None:
    if purge:
        _data(hands, book, found)
    for name in reversed(list(book.directories)):
        if hands.rmdir(Path(name)):
            book.directories.remove(name)
        else:
            found.append((KEPT, name, "not empty"))


def _data(hands: Hands, book: Manifest, found: list[tuple[str, str, str]]) -> None:
    made = set(book.data)
    for name in reversed(list(book.data)):
        if hands.status(Path(name)) is not None:
            hands.remove_tree(Path(name))
            found.append((GONE, name, ""))
        book.data.remove(name)
    for path in (*_HOLD_DATA, layout.BACKUPS):
        if str(path) in made or hands.status(path) is None or not hands.entries(path):
            continue
        if path == layout.BACKUPS:
            words = "it was there before setup; backups open every inbox: delete it yourself"
            found.append((KEPT, str(path), words))
            continue
        # often a file system of its own, mounted there: it stays, empty
        for one in hands.entries(path):
            hands.delete(one)
        found.append((GONE, f"everything in {path}", "the directory itself was there before setup"))


def _stock(hands: Hands, book: Manifest, found: list[tuple[str, str, str]]) -> None:
    for unit, state in list(book.stock.items()):
        if state.enabled:
            hands.run("systemctl", "enable", unit)
        if state.active and hands.live:
            hands.run("systemctl", "start", unit)
        found.append((BACK, unit, "as it was before setup"))
        del book.stock[unit]


def _account(hands: Hands, book: Manifest, found: list[tuple[str, str, str]]) -> None:
    if not book.account:
        return
    options = () if hands.live else ("--root", str(hands.root))
    if _there(hands, layout.USER, "root"):
        hands.run("userdel", *options, layout.USER)
        found.append((GONE, f"user {layout.USER}", ""))
    for group in (layout.USER, layout.HTTP_GROUP):  # userdel takes its own only where login.defs says so
        if _there(hands, "root", group):
            hands.run("groupdel", *options, group)
    book.account = False


def _there(hands: Hands, owner: str, group: str) -> bool:
    try:
        hands.ids(owner, group)
    except LookupError:
        return False
    return True
