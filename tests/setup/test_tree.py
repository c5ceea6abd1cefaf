"""Setup of a tree (as for an image): what is made, what a second run does, what was edited by hand, removal."""

from __future__ import annotations

import os
import stat
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.cli.config import described
from gateway.configuration import load_settings
from gateway.setup import apply, host_facts, layout, manifest, proxy, remove, sources
from gateway.setup.answers import Secrets
from gateway.setup.host import CommandFailed, Hands
from gateway.setup.steps import File, Plan
from tests.setup.conftest import ANSWERS, PROGRAM, Tree, snapshot

UNIT = layout.UNITS / "postern.service"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def ids(tree: Tree, owner: str, group: str) -> tuple[int, int]:
    return Hands(tree.root).ids(owner, group)


def owner(path: Path) -> tuple[int, int]:
    return path.stat().st_uid, path.stat().st_gid


def test_everything_is_made_with_its_owner_and_mode(tree: Tree) -> None:
    tree.apply(tree.plan(secrets=Secrets(smarthost_password="hush")))
    root, postern = ids(tree, "root", "root"), ids(tree, "postern", "postern")
    postfix = ids(tree, "postfix", "postfix")
    wanted = {
        layout.SETTINGS: (0o640, (root[0], postern[1])),
        layout.CREDENTIALS: (0o700, root),
        layout.CREDENTIALS / "smarthost": (0o600, root),
        layout.TLS_CHAIN: (0o640, (root[0], postern[1])),
        layout.TLS_KEY: (0o640, (root[0], postern[1])),
        layout.POSTFIX_CONFIG: (0o755, root),
        layout.DATA: (0o711, postern),
        layout.LOOKUP: (0o2750, (postern[0], postfix[1])),
        layout.DATA / "mail": (0o700, postern),
        layout.POSTFIX_DATA: (0o755, postfix),
        UNIT: (0o644, root),
        layout.MANIFEST: (0o600, root),
        layout.STATE: (0o700, root),
    }
    assert {path: (mode(tree.at(path)), owner(tree.at(path))) for path in wanted} == wanted
    assert tree.at(layout.CREDENTIALS / "smarthost").read_text() == "hush\n"
    assert "hush" not in tree.at(layout.MANIFEST).read_text()
    text = tree.at(UNIT).read_text()
    assert f"ExecStart={PROGRAM} serve" in text
    assert "@POSTERN@" not in text
    enabled = {one.name for one in tree.at(layout.UNITS).rglob("*.wants/*")}
    assert {"postern.service", "postern.socket", "postern-dovecot.service", "postern-backup.timer"} <= enabled


def test_the_settings_are_valid_and_of_this_server(tree: Tree) -> None:
    tree.apply()
    settings, origin = load_settings(tree.at(layout.SETTINGS), environ={})
    assert settings.data_dir == str(layout.DATA)
    assert settings.mail.domain == "example.org"
    assert settings.mail.hostname == "mail.example.org"
    assert (settings.mail.server, settings.mail.manage) == ("postfix_dovecot", False)
    assert (settings.mail.smtp_port, settings.mail.public_ipv4) == (25, "192.0.2.10")
    assert origin["limits.inboxes"] == "default"


def test_the_nightly_backup_holds_the_mail_when_that_was_chosen(tree: Tree) -> None:
    chosen = layout.UNITS / "postern-backup.service.d" / "setup.conf"
    made = tree.plan()
    assert any("no mail" in note and "--backup-mail" in note for note in made.notes)
    tree.apply(made)
    assert not tree.at(chosen).exists()
    with_mail = msgspec.structs.replace(ANSWERS, backup_mail=True)
    made = tree.plan(with_mail)
    assert not any("--backup-mail" in note for note in made.notes)
    tree.apply(made)
    assert "Environment=POSTERN_BACKUP_OPTIONS=--mail" in tree.at(chosen).read_text()
    assert "--verify $POSTERN_BACKUP_OPTIONS" in tree.at(layout.UNITS / "postern-backup.service").read_text()
    tree.apply(tree.plan(msgspec.structs.replace(ANSWERS, backup_mail=False)))
    assert not tree.at(chosen).exists()


def test_a_second_run_changes_nothing(tree: Tree) -> None:
    assert tree.apply()
    before = tree.where()
    assert tree.apply() == []
    after = tree.where()
    state = str(layout.MANIFEST).lstrip("/")  # written anew, the same
    assert before.pop(state)[4] == after.pop(state)[4]
    folder = str(layout.STATE).lstrip("/")
    before.pop(folder), after.pop(folder)
    assert before == after


def test_a_unit_that_was_disabled_stays_so(tree: Tree) -> None:
    tree.apply()
    Hands(tree.root).run("systemctl", "disable", "postern-doctor.timer")
    assert tree.apply() == []
    assert not host_facts.unit_state(Hands(tree.root), "postern-doctor.timer").enabled


def test_a_dry_run_shows_everything_and_touches_nothing(tree: Tree) -> None:
    before = tree.where()
    acts = tree.dry(tree.plan(secrets=Secrets(smarthost_password="hush", database="postgresql://u:hush@h/d")))
    assert tree.where() == before
    shown = {one["path"]: one for one in acts if one["act"] == "write"}
    commands = [one["command"] for one in acts if one["act"] == "run"]
    assert "hush" not in repr(acts)
    assert "PRIVATE KEY" not in repr(acts)
    tree.apply(tree.plan(secrets=Secrets(smarthost_password="hush", database="postgresql://u:hush@h/d")))
    made = {
        f"/{path}": content
        for path, (*_, content) in tree.where().items()
        if path not in before and content is not None and ".wants/" not in path
    }
    del made[str(layout.MANIFEST)]
    # what the commands make, not setup itself
    made = {
        path: content for path, content in made.items() if not path.startswith(("/etc/.pwd", "/etc/group-"))
    }
    made = {
        path: c for path, c in made.items() if path not in ("/etc/passwd-", "/etc/shadow", "/etc/gshadow")
    }
    assert set(shown) == set(made)
    for path, act in shown.items():
        real = tree.at(path)
        assert act["mode"] == f"{mode(real):04o}", path
        assert owner(real) == ids(tree, act["owner"], act["group"]), path
        if act["content"] != "********" and "CERTIFICATE" not in act["content"]:
            assert act["content"].encode() == made[path], path
    assert any("systemd-sysusers" in one for one in commands)
    assert any(one.startswith("systemctl enable postern.socket") for one in commands)


def test_an_edited_file_stays_and_the_new_one_is_put_beside_it_once(tree: Tree) -> None:
    tree.apply()
    edited = tree.edit(UNIT, lambda text: text + "# mine\n")
    assert tree.apply() == []  # nothing new to write: the edit stands, without a word
    upgraded = tree.plan()
    newer = replace(
        upgraded,
        steps=tuple(
            replace(one, content=one.content + "# newer\n")
            if isinstance(one, File) and one.path == UNIT
            else one
            for one in upgraded.steps
        ),
    )
    [(what, to, words)] = tree.apply(newer)
    assert (what, to) == (apply.KEPT, str(UNIT))
    assert f"{UNIT}.new" in words
    assert tree.at(UNIT).read_text() == edited
    assert tree.at(f"{UNIT}.new").read_text().endswith("# newer\n")
    assert tree.apply(newer) == []
    tree.at(UNIT).unlink()
    assert tree.apply(newer) == [(apply.MADE, str(UNIT), "")]


def test_a_file_that_was_there_before_is_never_overwritten(tree: Tree) -> None:
    tree.at(UNIT).write_text("[Service]\nExecStart=/bin/true\n")
    kept = [to for what, to, _ in tree.apply() if what == apply.KEPT]
    assert kept == [str(UNIT)]
    assert tree.at(UNIT).read_text() == "[Service]\nExecStart=/bin/true\n"
    tree.remove(purge=True)
    assert tree.at(UNIT).read_text() == "[Service]\nExecStart=/bin/true\n"


def test_settings_keep_comments_and_edits_and_take_changed_answers(tree: Tree) -> None:
    meanings = {one.name: one.meaning for one in described()}
    tree.apply(tree.plan(meanings=meanings))
    tree.edit(
        layout.SETTINGS,
        lambda text: (
            text.replace("smtp_port = 25", "smtp_port = 26 # mine").replace("[http]", "# API\n[http]")
            + '\n[log]\nlevel = "debug"\n'
        ),
    )
    relay = msgspec.structs.replace(ANSWERS, smarthost="relay.example.net:587", smtp_port=2525)
    changes = {to: what for what, to, _ in tree.apply(tree.plan(relay, meanings=meanings))}
    assert changes[str(layout.SETTINGS)] == apply.CHANGED
    assert changes[f"{layout.SETTINGS}: mail.smtp_port = 26"] == apply.KEPT
    text = tree.at(layout.SETTINGS).read_text()
    assert "smtp_port = 26 # mine" in text
    assert "# API\n[http]" in text
    values = tomllib.loads(text)
    assert values["log"] == {"level": "debug"}
    assert values["mail"]["smarthost"] == "relay.example.net:587"
    tree.apply(tree.plan(meanings=meanings))
    values = tomllib.loads(tree.at(layout.SETTINGS).read_text())
    assert "smarthost" not in values["mail"]
    assert values["mail"]["smtp_port"] == 26
    tree.remove()
    assert tree.at(layout.SETTINGS).exists(), "edited by hand: it stays"


def test_changed_answers_change_what_follows_from_them_and_nothing_else(tree: Tree) -> None:
    tree.apply()
    before = tree.where()
    tree.apply(tree.plan(msgspec.structs.replace(ANSWERS, http_port=9000)))
    after = tree.where()
    changed = {path for path in after if after[path][4] != before.get(path, [None] * 5)[4]}
    assert changed == {
        "etc/postern/postern.toml",
        "etc/systemd/system/postern.socket.d/setup.conf",
        "var/lib/postern-setup/manifest.json",
    }
    assert (
        "ListenStream=\nListenStream=127.0.0.1:9000\n"
        in tree.at(layout.UNITS / "postern.socket.d/setup.conf").read_text()
    )
    tree.apply()
    assert not tree.at(layout.UNITS / "postern.socket.d/setup.conf").exists(), "and back"


def test_dovecots_ports_are_opened_where_it_listens(tree: Tree) -> None:
    unit = sources.folder() / "postern-dovecot.socket"
    opened = [one for one in unit.read_text().splitlines() if one.startswith("ListenStream=")]
    assert opened == [f"ListenStream={at}:{port}" for port in (143, 993, 4190) for at in ("0.0.0.0", "[::]")]
    tree.apply()
    drop_in = tree.at(layout.UNITS / "postern-dovecot.socket.d/setup.conf")
    assert not drop_in.exists()
    others = {"mail.imap_port": 1143, "mail.sieve_port": 0}
    tree.apply(tree.plan(msgspec.structs.replace(ANSWERS, mail_address="2001:db8::5", settings=others)))
    assert drop_in.read_text().splitlines()[1:] == [
        "[Socket]",
        "ListenStream=",
        "ListenStream=[2001:db8::5]:1143",
        "ListenStream=[2001:db8::5]:993",
    ]
    tree.apply()
    assert not drop_in.exists()


def test_removal_leaves_the_tree_as_it_was(tree: Tree) -> None:
    before = {path: one[4] for path, one in tree.where().items()}
    tree.apply(tree.plan(msgspec.structs.replace(ANSWERS, unix_socket=True)))
    tree.at(layout.DATA / "postern.db").write_text("mail")
    told = tree.remove(purge=True)
    after = {path: one[4] for path, one in tree.where().items()}
    for path in {*before, *after}:
        if path in ("etc/passwd", "etc/group") or (path.startswith("etc/") and path.endswith("-")):
            continue  # the tools of shadow keep copies
        if path in ("etc/.pwd.lock", "etc/shadow", "etc/gshadow", "etc/sysusers.d", "etc/tmpfiles.d"):
            continue
        assert before.get(path) == after.get(path), path
    assert "postern" not in (tree.root / "etc/passwd").read_text()
    assert "postern" not in (tree.root / "etc/group").read_text()
    assert ("removed", "user postern", "") in told


def test_removal_keeps_the_data_unless_purged(tree: Tree) -> None:
    tree.apply()
    tree.at(layout.DATA / "mail/letter").write_text("dear")
    told = tree.remove()
    assert any("--purge" in words for *_, words in told)
    assert tree.at(layout.DATA / "mail/letter").read_text() == "dear"
    assert not tree.at(UNIT).exists()
    assert not tree.at(layout.TLS_KEY).exists()
    assert tree.apply(), "and it can be set up again"
    assert tree.at(layout.DATA / "mail/letter").read_text() == "dear"
    tree.remove()
    tree.remove(purge=True)
    assert not tree.at(layout.DATA).exists()
    assert not tree.at(layout.STATE).exists()


def test_purging_empties_a_data_directory_that_was_there_before(tree: Tree) -> None:
    for folder in (layout.DATA, layout.BACKUPS):
        tree.at(folder).mkdir(parents=True)  # as where another disk is mounted
    tree.apply()
    tree.at(layout.DATA / "postern.db").write_text("records")
    tree.at(layout.DATA / "secret").write_text("key")
    tree.at(layout.BACKUPS / "old").write_text("backup")
    tree.at("/var/elsewhere").mkdir()
    tree.at(layout.DATA / "link").symlink_to(tree.at("/var/elsewhere"))
    tree.remove()
    assert tree.at(layout.DATA / "postern.db").exists()
    tree.apply()
    told = {to: (what, words) for what, to, words in tree.remove(purge=True)}
    assert list(tree.at(layout.DATA).iterdir()) == []
    assert tree.at("/var/elsewhere").exists()
    assert told[f"everything in {layout.DATA}"][0] == remove.GONE
    assert tree.at(layout.BACKUPS / "old").exists()
    assert told[str(layout.BACKUPS)][0] == remove.KEPT


OWN_CADDYFILE = "# mine\n:80 {\n\trespond hello\n}\n"


def fronted(tree: Tree, kind: Any, domains: tuple[str, ...] = ()) -> Plan:
    """A plan with a proxy in front."""
    tree.facts = replace(tree.facts, domains=domains)
    answers = msgspec.structs.replace(ANSWERS, proxy=kind)
    return tree.plan(answers, proxy=sources.example(proxy.KINDS[kind].example))


@pytest.fixture
def with_proxies(tree: Tree) -> Tree:
    """The tree with what the packages of both proxies bring along, and an administrator's own site."""
    for unit in ("caddy", "nginx"):
        path = tree.at(f"/usr/lib/systemd/system/{unit}.service")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n")
    for folder in ("etc/caddy", "etc/nginx/conf.d"):
        (tree.root / folder).mkdir(parents=True)
    caddyfile = tree.at(proxy.CADDYFILE)
    caddyfile.write_text(OWN_CADDYFILE)
    caddyfile.chmod(0o640)
    with open(tree.root / "etc/passwd", "a") as out:
        out.write("caddy:x:998:998::/var/lib/caddy:/bin/false\nwww-data:x:33:33::/var/www:/bin/false\n")
    with open(tree.root / "etc/group", "a") as out:
        out.write("caddy:x:998:\nwww-data:x:33:\n")
    (tree.root / "etc/login.defs").write_text("")
    return tree


def test_caddy_gets_one_line_and_loses_it_again(with_proxies: Tree) -> None:
    tree = with_proxies
    tree.apply(fronted(tree, "caddy"))
    site = tree.at(layout.PROXY / "Caddyfile")
    text = tree.at(proxy.CADDYFILE).read_text()
    assert text.startswith(OWN_CADDYFILE)
    assert text.endswith(f"\nimport {layout.PROXY}/Caddyfile\n")
    assert mode(tree.at(proxy.CADDYFILE)) == 0o640
    assert "mta-sts.example.org" in site.read_text()
    assert Hands(tree.root).members(layout.HTTP_GROUP) == ("caddy",)
    assert tree.apply(fronted(tree, "caddy")) == []
    [(what, to, _)] = tree.apply(fronted(tree, "caddy", ("second.example",)))
    assert (what, to) == (apply.CHANGED, str(layout.PROXY / "Caddyfile"))
    assert "autodiscover.second.example" in site.read_text()
    tree.remove(purge=True)
    assert tree.at(proxy.CADDYFILE).read_text() == OWN_CADDYFILE
    assert not site.exists()


def test_another_proxy_takes_the_place_of_the_first(with_proxies: Tree) -> None:
    tree = with_proxies
    tree.apply(fronted(tree, "caddy"))
    tree.apply(fronted(tree, "nginx"))
    assert tree.at(proxy.CADDYFILE).read_text() == OWN_CADDYFILE
    assert Path(os.readlink(tree.at(proxy.NGINX_LINK))) == layout.PROXY / "nginx.conf"
    assert not tree.at(layout.PROXY / "Caddyfile").exists()
    assert Hands(tree.root).members(layout.HTTP_GROUP) == ("www-data",)
    assert not host_facts.unit_state(Hands(tree.root), "caddy.service").enabled
    assert host_facts.unit_state(Hands(tree.root), "nginx.service").enabled
    tree.apply()  # no proxy any more
    assert not os.path.lexists(tree.at(proxy.NGINX_LINK))
    assert not tree.at(layout.PROXY).exists()
    assert tree.book().proxies == {}


def test_what_the_administrator_wrote_for_the_proxy_is_used_and_kept(with_proxies: Tree) -> None:
    tree = with_proxies
    own = f"import {layout.PROXY}/Caddyfile\n{OWN_CADDYFILE}"  # as earlier versions asked for it
    tree.at(proxy.CADDYFILE).write_text(own)
    tree.apply(fronted(tree, "caddy"))
    assert tree.at(proxy.CADDYFILE).read_text() == own
    tree.at(proxy.NGINX_LINK).write_text("# mine\n")
    told = tree.apply(fronted(tree, "nginx"))
    assert (apply.KEPT, str(proxy.NGINX_LINK)) in {one[:2] for one in told}
    assert tree.apply(fronted(tree, "nginx")) == []
    tree.remove(purge=True)
    assert tree.at(proxy.NGINX_LINK).read_text() == "# mine\n"
    assert tree.at(proxy.CADDYFILE).read_text() == OWN_CADDYFILE, (
        "an import of a file that is gone stops Caddy"
    )


class PowerCut(BaseException):
    """The machine stops here."""


class Cut(Hands):
    """Hands of which the n-th act does not happen, or happens and is the last."""

    left: int
    after: bool

    def _tick(self, act: Any) -> Any:
        self.left -= 1
        if self.left > 0:
            return act()
        if self.after:
            act()
        raise PowerCut

    def write(self, *args: Any, **named: Any) -> None:
        self._tick(lambda: Hands.write(self, *args, **named))

    def mkdir(self, *args: Any) -> None:
        self._tick(lambda: Hands.mkdir(self, *args))

    def run(self, *argv: str, **named: Any) -> str:
        return str(self._tick(lambda: Hands.run(self, *argv, **named)))


@pytest.mark.parametrize("after", [False, True], ids=["not done", "done but not told"])
def test_an_interrupted_setup_goes_on_and_can_be_removed(tree: Tree, after: bool) -> None:
    before = set(tree.where())
    for count in (1, 3, 5, 14, 18, 28):
        hands = Cut(tree.root)
        hands.left, hands.after = count, after
        with pytest.raises(PowerCut):
            tree.apply(hands=hands)
        if count % 2:
            tree.apply()
            assert not [one for one in tree.apply() if one[0] != apply.KEPT]
        tree.remove(purge=True)
        left = {one for one in set(tree.where()) - before if "postern" in one}
        assert left == set(), f"after {count} acts"


def test_changed_answers_that_were_interrupted_are_not_taken_for_edits(tree: Tree) -> None:
    tree.apply()
    changed = tree.plan(msgspec.structs.replace(ANSWERS, hostname="mx.example.org"))
    for after in (False, True):
        hands = Cut(tree.root)
        hands.left, hands.after = 3, after  # key, chain, then the settings
        with pytest.raises(PowerCut):
            tree.apply(changed, hands=hands)
        assert not [one for one in tree.apply(changed) if one[0] == apply.KEPT]
        assert tomllib.loads(tree.at(layout.SETTINGS).read_text())["mail"]["hostname"] == "mx.example.org"
        tree.apply()


def test_a_missing_package_in_an_image_is_named(tree: Tree) -> None:
    status = tree.at("/var/lib/dpkg/status")
    status.write_text(status.read_text().replace("Package: postfix-sqlite\n", "Package: other\n"))
    with pytest.raises(apply.Refused, match="lacks packages: postfix-sqlite"):
        tree.apply()


def test_a_link_in_the_way_of_a_directory_is_not_followed(tree: Tree) -> None:
    victim = tree.at("/etc/victim")
    victim.mkdir()
    tree.apply()
    lookup = tree.at(layout.LOOKUP)
    lookup.rmdir()
    lookup.symlink_to(victim)
    with pytest.raises(apply.Refused, match="in the way"):
        tree.apply()
    with pytest.raises(OSError, match="symbolic links"):
        Hands(tree.root).own(layout.LOOKUP, 0o777, "postern", "postern")
    assert victim.stat().st_uid == 0


def test_a_manifest_of_another_version_is_refused(tree: Tree) -> None:
    tree.apply()
    tree.edit(layout.MANIFEST, lambda text: text.replace('"version": 1', '"version": 9'))
    with pytest.raises(manifest.Unusable, match="version 9"):
        tree.book()


def test_a_failed_command_says_its_last_words(tree: Tree) -> None:
    with pytest.raises(CommandFailed, match=r"ended with 3\n  sorry"):
        Hands(tree.root).run("sh", "-c", "echo sorry >&2; exit 3")


def test_nothing_outside_of_the_root_is_touched(tree: Tree) -> None:
    before = snapshot(Path("/etc/systemd/system"))
    tree.apply()
    tree.remove(purge=True)
    assert snapshot(Path("/etc/systemd/system")) == before
    assert not os.path.exists(layout.MANIFEST)
