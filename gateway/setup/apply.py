"""Each step compared with what is there, and the difference made. The manifest is written before every act."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.setup import (
    caddy,
    firewall,
    host_facts,
    layout,
    manifest,
    packages,
    proxy_steps,
    settings_file,
    tls,
)
from gateway.setup.host import CommandFailed, Hands
from gateway.setup.manifest import FileEntry, Manifest
from gateway.setup.plan import POSTFIX
from gateway.setup.steps import (
    Account,
    Certbot,
    Command,
    Directory,
    File,
    FromCaddy,
    Line,
    Link,
    Member,
    Packages,
    Plan,
    Proxy,
    Rehearsal,
    SelfSigned,
    SettingsFile,
    StockUnits,
    Units,
)

_CADDY_SECONDS = 60.0

MADE, CHANGED, KEPT, DONE, GONE = "made", "changed", "kept", "done", "removed"


class Refused(Exception):
    """The machine is not as it must be; ``fix`` says what to do."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.fix = fix


@dataclass(slots=True)
class Applying:
    """One run. ``changes`` grows by (what happened, to what, words); it stays empty when all was as planned."""

    hands: Hands
    book: Manifest
    manifest_path: Path
    fingerprint: str = ""
    changes: list[tuple[str, str, str]] = field(default_factory=list)
    later: list[str] = field(default_factory=list)
    """What could not be had yet, and comes later by itself or by another run."""
    interrupted: bool = False
    """The run before this one did not come to its end."""
    reloaded: bool = False

    def run(self, plan: Plan) -> None:
        """Do every step, in order. Raises CommandFailed, Refused, OSError: run it again to go on."""
        self.interrupted = self.reloaded = not self.book.done  # it may have written units
        self.book.done = False
        wanted = {one.unit for one in plan.steps if isinstance(one, Proxy)}
        if set(self.book.proxies) - wanted:  # another proxy than before, or none
            self.changes += proxy_steps.detach(self.hands, self.book)
            self.save()
        for step in plan.steps:
            if isinstance(step, Units):
                self.outdated(plan)  # before they start again
            _DO[type(step)](self, step)
        self.book.done = True
        self.save()

    def save(self) -> None:
        """The manifest, on disk."""
        if not self.hands.dry:
            manifest.save(self.hands.at(self.manifest_path), self.book)

    def note(self, what: str, to: object, words: str = "") -> None:
        self.changes.append((what, str(to), words))

    def affect(self, units: tuple[str, ...]) -> None:
        """Units to restart before this run counts as done."""
        self.book.pending += [one for one in units if one not in self.book.pending]

    # packages, units, accounts

    def packages(self, step: Packages) -> None:
        wanted = packages.missing(self.hands, step.names)
        if not wanted:
            if self.interrupted and self.hands.live:  # perhaps just after it had installed them
                self._without_daemons(one for one in self.book.packages if one in step.names)
            return
        if not self.hands.live:
            raise Refused(
                f"{self.hands.root} lacks packages: {' '.join(wanted)}",
                f"chroot {self.hands.root} apt-get install --no-install-recommends {' '.join(wanted)}",
            )
        self.hands.say(f"installing {' '.join(wanted)}")
        self.book.packages += [one for one in wanted if one not in self.book.packages]
        self.save()
        try:
            packages.install(self.hands, wanted)
        except packages.CannotInstall as error:
            raise Refused(str(error), error.fix) from error
        self.note(DONE, "packages", f"installed {' '.join(wanted)}")
        self._without_daemons(wanted)

    def _without_daemons(self, names: Iterable[str]) -> None:
        """The daemons of packages that setup installed do not start at the next boot."""
        units = [one for one in packages.daemons(names) if self.hands.dry or self._enabled(one)]
        if units:
            self.hands.run("systemctl", "disable", *units)

    def _enabled(self, unit: str) -> bool:
        return host_facts.unit_state(self.hands, unit).enabled

    def rehearsal(self, step: Rehearsal) -> None:
        """Refuses before anything is stopped for a configuration that would not work. Not repeated for services that
        stay as they are."""
        same = self.book.program == self.fingerprint and not self.book.pending
        if not self.hands.live or (same and not self.interrupted):
            return
        self.hands.say("checking the configuration of Dovecot and Postfix")
        for daemon, user in (("dovecot", layout.USER), ("postfix", "root")):
            said = self.hands.run(
                # as in its unit: with the secrets, which its user cannot read otherwise
                *("systemd-run", "--quiet", "--wait", "--pipe", "--collect", f"--property=User={user}"),
                f"--property=LoadCredential=postern:{layout.CREDENTIALS}",
                f"--setenv=POSTERN_CONFIG={layout.SETTINGS}",
                *(step.program, "mail", "render", daemon, "--check"),
                good=(0, 1),  # 1: it is not on disk yet
            )
            # systemd-run ends with 1, too, when it could not start the command
            if not (said.strip() or self.hands.dry):
                raise CommandFailed(
                    f"the configuration of {daemon} could not be checked: systemd-run started nothing"
                )

    def stock(self, step: StockUnits) -> None:
        for unit in step.names:
            state = host_facts.unit_state(self.hands, unit)
            if not (state.enabled or state.active):
                continue
            self.book.stock.setdefault(unit, state)
            self.save()
            if state.enabled:
                self.hands.run("systemctl", "disable", unit)
            if state.active:
                self.hands.run("systemctl", "stop", unit)
            self.note(DONE, unit, "stopped and disabled; its configuration is as it was")

    def account(self, step: Account) -> None:
        try:
            self.hands.ids(step.name, step.name)
            return
        except LookupError:
            pass
        self.book.account = True
        self.save()
        self.hands.run("systemd-sysusers", step.source.name)
        self.note(MADE, f"user {step.name}", "a system user without login")

    def units(self, step: Units) -> None:
        run = self.hands.run
        enabled = {one for one in step.enable if host_facts.unit_state(self.hands, one).enabled}
        # one that setup enabled before and that is not enabled now was disabled by the administrator
        known = () if self.interrupted else tuple(self.book.units)
        fresh = [one for one in step.enable if one not in enabled and one not in known]
        off = {one for one in step.enable if one not in enabled and one in known}
        if fresh:
            self.book.units += [one for one in fresh if one not in self.book.units]
            self.save()
            run("systemctl", "enable", *fresh)
            self.note(DONE, " ".join(fresh), "enabled")
        if not self.hands.live or not step.start:
            self.book.pending = []
            return
        if self.reloaded:
            run("systemctl", "daemon-reload")
        if self.book.program and self.book.program != self.fingerprint:
            services = (one for one in step.enable if one.endswith(".service"))
            self.affect(tuple(f"reload {one}" if one == POSTFIX else one for one in services))
        self.save()
        active = {one for one in step.enable if host_facts.unit_state(self.hands, one).active}
        # a socket cannot be restarted under its running service
        again = [one for one in step.enable if one in self.book.pending and one in active]
        if "postern.socket" in again:
            run("systemctl", "stop", "postern.service")
            active.discard("postern.service")
        start = [one for one in step.enable if one not in active and one not in off]
        again = [one for one in again if one not in start]
        # all gateways are of one version: the further ones wait until the first has started
        renewed = {host_facts.FURTHER, "postern.service"} & set(self.book.pending)
        further = host_facts.further_gateways(self.hands) if renewed else []
        if further:
            run("systemctl", "stop", *further)
            start += further
        if again:
            self.hands.say(f"restarting {' '.join(again)}")
            self._start("restart", again)
            self.note(DONE, " ".join(again), "restarted")
        if f"reload {POSTFIX}" in self.book.pending and POSTFIX in active and POSTFIX not in again:
            self.hands.say(f"reloading {POSTFIX}")
            self._start("reload", [POSTFIX])
            self.note(DONE, POSTFIX, "reloaded")
        if start:
            self.hands.say(f"starting {' '.join(start)}")
            self._start("start", start)
            self.note(DONE, " ".join(start), "started")
        self.book.pending, self.book.program = [], self.fingerprint

    def _start(self, verb: str, units: list[str]) -> None:
        try:
            self.hands.run("systemctl", verb, *units)
        except CommandFailed as error:
            ill = [one for one in units if not host_facts.unit_state(self.hands, one).active]
            logs = [
                # with its socket's: a port that is taken is reported there
                self.hands.ask(
                    "journalctl", "-u", f"{one.rpartition('.')[0]}.*", "-n", "15", "--no-pager", "-o", "cat"
                )
                for one in ill
            ]
            words = "\n".join(f"{one}:\n{log}" for one, log in zip(ill, logs, strict=True))
            raise CommandFailed(f"{error}\n{words}") from error

    # files

    def directory(self, step: Directory) -> None:
        if not self.hands.live and step.path.is_relative_to("/run"):
            return
        found = self.hands.status(step.path)
        if found is None:
            for one in (*reversed(step.path.parents), step.path):
                held = self.book.data if step.data else self.book.directories
                if self.hands.status(one) is None and str(one) not in held:
                    held.append(str(one))
            self.save()
            self.hands.mkdir(step.path, step.mode, step.owner, step.group)
            self.note(MADE, step.path)
            return
        if not stat.S_ISDIR(found.st_mode):
            raise Refused(f"{step.path} is in the way: a directory is to be there", "move it away")
        self._shape(step)

    def _shape(self, step: Directory | File | SettingsFile) -> None:
        """The owner and mode of what is there."""
        found = self.hands.status(step.path)
        if found is None:
            return
        try:
            ids: tuple[int, int] | None = self.hands.ids(step.owner, step.group)
        except LookupError:
            if not self.hands.dry:
                raise
            ids = None  # the account would be there by now
        if (found.st_uid, found.st_gid) != ids or stat.S_IMODE(found.st_mode) != step.mode:
            self.hands.own(step.path, step.mode, step.owner, step.group)
            self.note(CHANGED, step.path, f"owner {step.owner}:{step.group}, mode {step.mode:04o}")

    def file(self, step: File) -> None:
        wanted = step.content.encode()
        held = self.hands.read(step.path)
        entry = self.book.files.get(str(step.path)) or FileEntry(copy=step.copy, existed=held is not None)
        entry.affects = step.affects
        ours = held is None or step.copy or manifest.digest(held) in entry.ours
        if held == wanted:
            self._known(step.path, entry, wanted)
            self._shape(step)
            return
        if not ours:
            self._keep(step, entry, wanted)
            return
        manifest.remember(entry, wanted)
        self.book.files[str(step.path)] = entry
        self.affect(step.affects)
        self.save()
        self.hands.write(step.path, wanted, step.mode, step.owner, step.group, secret=step.secret)
        self._after(step.path)
        self.note(MADE if held is None else CHANGED, step.path)

    def outdated(self, plan: Plan) -> None:
        """Take away what earlier answers needed and these do not."""
        wanted = {str(one.path) for one in plan.steps if isinstance(one, File | SettingsFile)}
        wanted |= {str(one) for one in plan.holds}
        for name in [
            one for one in self.book.files if one not in wanted and one.removesuffix(".new") not in wanted
        ]:
            path, entry = Path(name), self.book.files[name]
            held = self.hands.read(path)
            if held is not None and not entry.copy and manifest.digest(held) not in entry.ours:
                continue  # edited: --remove speaks of it
            self.affect(entry.affects)
            self.save()
            if held is not None and not entry.existed:
                self.hands.remove(path)
                self.note(GONE, path, "not needed any more")
                self._after(path)
            del self.book.files[name]
            if str(path.parent) in self.book.directories and self.hands.rmdir(path.parent):
                self.book.directories.remove(str(path.parent))

    def _known(self, path: Path, entry: FileEntry, content: bytes) -> None:
        if manifest.digest(content) not in entry.ours or str(path) not in self.book.files:
            manifest.remember(entry, content)
            self.book.files[str(path)] = entry

    def _keep(self, step: File, entry: FileEntry, wanted: bytes) -> None:
        """An edited file stays; what setup would have written is put beside it, once."""
        beside = step.path.with_name(f"{step.path.name}.new")
        if entry.ours and entry.ours[-1] == manifest.digest(wanted):
            self._shape(step)
            return
        manifest.remember(entry, wanted)
        self.book.files[str(step.path)] = entry
        self.book.files[str(beside)] = FileEntry(ours=[manifest.digest(wanted)], copy=True)
        self.save()
        # not executable: it must not run as a hook
        self.hands.write(beside, wanted, step.mode & ~0o111, step.owner, step.group, secret=step.secret)
        self.note(
            KEPT,
            step.path,
            f"edited by hand; setup's is in {beside}: merge it, or delete {step.path} and repeat",
        )

    def _after(self, path: Path) -> None:
        if path.suffix in (".service", ".socket", ".timer", ".path", ".slice", ".conf"):
            self.reloaded = True

    def settings(self, step: SettingsFile) -> None:
        raw = self.hands.read(step.path)
        held = raw.decode("utf-8", "replace") if raw is not None else None
        try:
            merged = settings_file.merge(held, step.values, self.book.settings, step.meanings)
        except settings_file.NotToml as error:
            raise Refused(
                f"{step.path}: {error}", "correct it: `postern config` says when it is right"
            ) from error
        for name, (value, wanted) in merged.kept.items():
            self.note(
                KEPT, f"{step.path}: {name} = {value!r}", f"edited by hand; setup would write {wanted!r}"
            )
        entry = self.book.files.get(str(step.path)) or FileEntry(existed=held is not None)
        text = merged.text.encode()
        self.book.settings = settings_file.remember(self.book.settings, step.values)
        if held is not None and not merged.changed:
            self.book.files.setdefault(str(step.path), entry)
            self._shape(step)
            return
        if held is None or manifest.digest(held.encode()) in entry.ours:
            manifest.remember(entry, text)  # otherwise it holds the administrator's edits, and stays theirs
        self.book.files[str(step.path)] = entry
        self.affect(step.affects)
        self.save()
        self.hands.write(step.path, text, step.mode, step.owner, step.group)
        self.note(MADE if held is None else CHANGED, step.path, ", ".join(merged.changed))

    # certificates

    def self_signed(self, step: SelfSigned) -> None:
        if step.until and (held := self.hands.read(step.chain)) is not None and not tls.is_self_signed(held):
            return
        if tls.fits(self.hands.read(step.chain), self.hands.read(step.key), step.names):
            return
        pair = tls.self_signed(step.names)
        shape: dict[str, Any] = {"mode": 0o640, "group": step.group, "copy": True}
        self.file(File(step.key, content=pair.key, secret=True, **shape))
        self.file(File(step.chain, content=pair.chain, **shape))

    def from_caddy(self, step: FromCaddy) -> None:
        for path in (step.key, step.chain):
            self.book.files.setdefault(str(path), FileEntry(copy=True))
        self.save()
        if not self.hands.live or self.hands.dry:
            return
        held = self.hands.read(step.chain)
        if held is None or tls.is_self_signed(held):
            self._wait_for_caddy(step.hostname)
        if caddy.copy(self.hands, step.hostname):
            self.note(DONE, step.chain, "certificate from Caddy")
        elif held is None or tls.is_self_signed(held):
            self.later.append(
                f"Certificate: Caddy has none for {step.hostname} yet, and mail shows a self-signed one until it has. "
                f"{step.hostname} must lead to this server in DNS, and ports 80 and 443 be open. Caddy tries again by "
                "itself (`journalctl -u caddy` shows why it could not)."
            )

    def _wait_for_caddy(self, hostname: str) -> None:
        if not host_facts.resolves(hostname):
            return
        self.hands.say(
            f"waiting until Caddy has a certificate for {hostname} (at most {_CADDY_SECONDS:.0f} s)"
        )
        end = time.monotonic() + _CADDY_SECONDS
        while caddy.certificate(hostname) is None and time.monotonic() < end:
            time.sleep(0.5)

    def certbot(self, step: Certbot) -> None:
        source = step.lineage / step.chain.name
        wanted = self._names_to_ask_for(step)
        held = tls.names_in(self.hands.read(source))
        moved = self._proved_otherwise(step)
        if moved or not set(wanted) <= set(held):
            names = [word for name in wanted for word in ("--domain", name)]
            more = ["--expand", "--allow-subset-of-names"] if step.names[1:] else []
            more += ["--force-renewal"] if held and moved else []
            command = [*step.command, *names, *more]
            self.hands.say(f"asking for a certificate: {' '.join(command)}")
            try:
                self.hands.run(*command)
                self.note(DONE, step.lineage, "certificate from certbot")
            except CommandFailed as error:
                if not step.later:
                    raise
                self.later.append(
                    f"Certificate: certbot could not get one for {' '.join(wanted)}: {error}\nThe one that is there "
                    "serves on. When these names lead to this server in DNS and port 80 is open, run `postern setup "
                    "--yes` again."
                )
        timer = host_facts.unit_state(self.hands, "certbot.timer")
        if self.hands.live and self.hands.ask("systemctl", "cat", "certbot.timer") and not timer.active:
            # installed without being started
            self.hands.run("systemctl", "enable", "--now", "certbot.timer")
        if self.hands.read(source) is None and not self.hands.dry:
            return
        if self.hands.read(source) != self.hands.read(step.chain) or self.hands.dry:
            for path in (step.chain, step.chain.with_name("privkey.pem")):
                self.book.files.setdefault(str(path), FileEntry(copy=True))
            self.save()
            self.hands.run(str(step.hook), environ={"RENEWED_LINEAGE": str(step.lineage)})
            self.note(DONE, step.chain, "copied from certbot")
            for unit in self.book.proxies:  # postern-tls.path, which does it later, may not watch yet
                self.hands.run("systemctl", "try-reload-or-restart", unit)

    def _names_to_ask_for(self, step: Certbot) -> tuple[str, ...]:
        """The server's, and the others that are in DNS: one that cannot be proved would spoil the certificate."""
        others = step.names[1:]
        if not self.hands.dry:
            others = tuple(one for one in others if host_facts.resolves(one))
        return (step.names[0], *others)

    def _proved_otherwise(self, step: Certbot) -> bool:
        """A lineage that certbot renews by opening port 80 itself, where a proxy has it by now."""
        if "--webroot" not in step.command:
            return False
        conf = self.hands.read(layout.CERTBOT_RENEWAL / f"{step.lineage.name}.conf") or b""
        return b"authenticator = standalone" in conf

    def command(self, step: Command) -> None:
        undo = " ".join(firewall.undo(step.argv))
        if undo in self.book.firewall:
            return
        self.book.firewall.append(undo)
        self.save()
        self.hands.run(*step.argv)
        self.note(DONE, " ".join(step.argv), step.why)

    # the reverse proxy

    def proxy(self, step: Proxy) -> None:
        try:
            proxy_steps.proxy(self, step)
        except proxy_steps.NotTaken as error:
            raise Refused(
                f"{step.package} does not take its configuration with Postern's site in it (it was taken out again): "
                f"{error}",
                f"correct {step.package}'s configuration, then run the same command again; or give --proxy none",
            ) from error


_DO: dict[type, Callable[[Applying, Any], None]] = {
    Packages: Applying.packages,
    Rehearsal: Applying.rehearsal,
    StockUnits: Applying.stock,
    Account: Applying.account,
    Directory: Applying.directory,
    File: Applying.file,
    SettingsFile: Applying.settings,
    Line: proxy_steps.line,
    Link: proxy_steps.link,
    Member: proxy_steps.member,
    Proxy: Applying.proxy,
    SelfSigned: Applying.self_signed,
    FromCaddy: Applying.from_caddy,
    Certbot: Applying.certbot,
    Command: Applying.command,
    Units: Applying.units,
}
