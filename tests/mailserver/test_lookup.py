"""The lookup tables in SQLite and in PostgreSQL: the same rows, the same answers, to us and in SQL."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mailserver.addresses import is_sent_copy, names_of
from mailserver.base import REFUSED, MailServerDown
from mailserver.directory import Directory, Mailbox
from mailserver.dovecot.dovecot_2_3 import VARIABLES as VARIABLES_2_3
from mailserver.dovecot.dovecot_2_4 import VARIABLES as VARIABLES_2_4
from mailserver.dovecot.queries import user_query
from mailserver.lookup import Lookup
from mailserver.postfix_dovecot.tables import tables
from tests.support.postgres_server import PostgresCluster, postgres_cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Lookup:
    """Where fresh tables may be made."""
    path = tmp_path / "lookup.db"
    if request.param == "sqlite":
        return Lookup(path)
    cluster: PostgresCluster = request.getfixturevalue("postgres")
    return Lookup(path, cluster.new_database())


@pytest.fixture
def directory(place: Lookup) -> Iterator[Directory]:
    made = Directory(place.storage())
    made.open()
    yield made
    made.close()


def test_rows_come_back(place: Lookup, directory: Directory) -> None:
    directory.add_domain("x.test", "y.test", "x.test")
    rows = [Mailbox("a@x.test", "h1", None), Mailbox("b@x.test", "h2", "pw", quota=5_000_000_000)]
    directory.add_mailboxes([*rows, Mailbox("a@x.test", "h3", "other")])
    directory.set_aliases({"info@x.test": ["b@x.test", "a@x.test"], "@x.test": ["a@x.test"]})
    directory.set_quotas({"a@x.test": 1000})
    again = Directory(place.storage())
    again.open()
    assert again.domains() == {"x.test", "y.test"}
    assert again.row("a@x.test") == Mailbox("a@x.test", "h1", None, quota=1000)
    assert again.find("b@x.test") == rows[1]
    assert again.targets("info@x.test") == ("a@x.test", "b@x.test")
    assert again.targets("who@x.test") == ("a@x.test",)
    again.close()


def test_changes_of_another_process_are_noticed(place: Lookup, directory: Directory) -> None:
    other = Directory(place.storage())
    other.open()
    assert not other.refresh()
    directory.add_domain("x.test")
    directory.add_mailboxes([Mailbox("a@x.test", "h1", None)])
    directory.set_aliases({"info@x.test": ["a@x.test"]})
    assert other.refresh()
    assert other.targets("info@x.test") == ("a@x.test",)
    assert not other.refresh()
    other.set_aliases({"info@x.test": []})
    assert not other.refresh(), "one's own change is nothing new"
    assert directory.refresh()
    assert directory.targets("info@x.test") == ()
    other.close()


def test_a_change_that_fails_leaves_nothing(place: Lookup, directory: Directory) -> None:
    directory.add_mailboxes([Mailbox("a@x.test", "h1", None)])
    twice = [Mailbox("b@x.test", "h2", None), Mailbox("c@x.test", "h1", None)]  # homes are unique
    directory.add_mailboxes(twice)
    assert directory.find("c@x.test") is None
    with pytest.raises((sqlite3.Error, psycopg.Error)):
        directory.set_aliases({"ok@x.test": ["a@x.test"], "bad@x.test": [None]})  # type: ignore[list-item]
    assert directory.aliases() == {}
    again = Directory(place.storage())
    again.open()
    assert again.aliases() == {}
    assert sorted(row.address for row in again.mailboxes()) == ["a@x.test", "b@x.test"]
    again.close()


def test_a_mailbox_takes_its_aliases_along(directory: Directory) -> None:
    directory.add_domain("x.test")
    directory.add_mailboxes([Mailbox("a@x.test", "h1", None), Mailbox("b@x.test", "h2", None)])
    directory.set_aliases({"both@x.test": ["a@x.test", "b@x.test"], "one@x.test": ["a@x.test"]})
    row = directory.row("a@x.test")
    assert row is not None
    directory.disable("a@x.test")
    assert directory.targets("both@x.test") == ("b@x.test",)
    assert directory.targets("one@x.test") == ()
    directory.forget(row)
    assert directory.aliases() == {"both@x.test": ("b@x.test",)}


def test_only_named_aliases_may_be_written_as(directory: Directory) -> None:
    directory.add_mailboxes([Mailbox("a@x.test", "h1", None), Mailbox("b@x.test", "h2", None)])
    directory.set_aliases({"info@x.test": ["a@x.test"], "@x.test": ["a@x.test"]})
    assert directory.may_send("a@x.test", "a@x.test")
    assert directory.may_send("a@x.test", "info@x.test")
    assert not directory.may_send("b@x.test", "info@x.test")
    assert not directory.may_send("a@x.test", "b@x.test")
    assert not directory.may_send("a@x.test", "anything@x.test")
    assert not directory.may_send("a@x.test", "@x.test")


def test_the_database_may_go_away_for_a_while(tmp_path: Path) -> None:
    with postgres_cluster(tmp_path) as cluster:
        directory = Directory(Lookup(tmp_path / "none", cluster.new_database()).storage())
        directory.open()
        directory.add_domain("x.test")
        cluster.kill()
        assert directory.has_domain("x.test"), "what is in memory needs no database"
        with pytest.raises(MailServerDown):
            directory.add_domain("y.test")
        assert not directory.has_domain("y.test")
        with pytest.raises(MailServerDown):
            directory.refresh()
        cluster.start()
        directory.add_domain("z.test")
        assert directory.refresh(), "what others did meanwhile was not heard"
        assert directory.domains() == {"x.test", "z.test"}
        directory.close()


# -- the rule in memory and the rule in SQL --------------------------------------------------------------

_LOCALS = ["a", "b", "a+tag", "a+tag+x"]
_DOMAINS = ["x.test", "y.test"]
_ADDRESSES = [f"{local}@{domain}" for local in _LOCALS for domain in _DOMAINS]
_TAGS = ["", "", "+tag", "+TAG+x", "+", "++tag", "+sent-abc", "+SENT-ABC", "+x+sent-abc", "+tag+sent-abc"]
_ODD = ["it's@x.test", "a\\@x.test", "a%s@x.test", "A@X.Test", "+tag@x.test", "a'||'b@y.test", '"a b"@x.test']


@st.composite
def _worlds(draw: st.DrawFn) -> tuple[list[Mailbox], dict[str, list[str]]]:
    states = draw(st.lists(st.sampled_from(["live", "making", "removing", "none"]), min_size=8, max_size=8))
    boxes = [
        Mailbox(address, f"home-{number}", None, enabled=state == "live", making=state == "making")
        for number, (address, state) in enumerate(zip(_ADDRESSES, states, strict=True))
        if state != "none"
    ]
    names = st.sampled_from([*_ADDRESSES, *("@" + domain for domain in _DOMAINS)])
    targets = st.lists(st.sampled_from([*_ADDRESSES, REFUSED]), min_size=1, max_size=3)
    return boxes, draw(st.dictionaries(names, targets, max_size=6))


_QUESTIONS = st.one_of(
    st.builds(
        lambda local, tag, domain: f"{local}{tag}@{domain}",
        st.sampled_from([*_LOCALS, "c"]), st.sampled_from(_TAGS), st.sampled_from([*_DOMAINS, "else.test"]),
    ),
    st.sampled_from(_ODD),
)  # fmt: skip


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresCluster) -> Iterator[list[Engine]]:
    path = tmp_path_factory.mktemp("lookup") / "lookup.db"
    made = [Engine(Lookup(path)), Engine(Lookup(path, postgres.new_database()))]
    yield made
    for one in made:
        one.close()


class Engine:
    """One place with its rows, and its own SQL on it."""

    def __init__(self, lookup: Lookup) -> None:
        self.lookup = lookup
        self.directory = Directory(lookup.storage())
        self.directory.open()
        self.directory.add_domain(*_DOMAINS)
        self.tables = tables(lookup, "/run")
        self.user_queries = {one: user_query(lookup, "/mail", one) for one in (VARIABLES_2_3, VARIABLES_2_4)}
        self._db: sqlite3.Connection | psycopg.Connection[tuple[object, ...]]
        if lookup.postgresql:
            self._db = psycopg.connect(lookup.url, autocommit=True)
        else:
            self._db = sqlite3.connect(lookup.path, isolation_level=None)

    def close(self) -> None:
        self._db.close()
        self.directory.close()

    def fill(self, boxes: list[Mailbox], aliases: dict[str, list[str]]) -> None:
        self.directory.set_aliases(dict.fromkeys(self.directory.aliases(), ()))
        self.directory.forget(*self.directory.mailboxes())
        self.directory.add_mailboxes(boxes)
        self.directory.set_aliases(aliases)

    def ask(self, sql: str) -> list[str]:
        return [str(row[0]) for row in self._db.execute(sql.encode() if self.lookup.postgresql else sql)]  # type: ignore[arg-type]

    def postfix(self, table: str, key: str) -> list[str]:
        """What Postfix would get: pgsql_table(5)."""
        local, at, domain = key.rpartition("@")
        query = self.tables[table]
        if (not at and "%d" in query) or (not local and "%u" in query):
            return []
        values = {"s": key, "u": local, "d": domain}
        return self.ask(_expanded(query, lambda name: values[name].replace("'", "''")))

    def dovecot(self, user: str, service: str) -> list[str]:
        """What both versions of Dovecot would get. Each puts quotes into the values."""
        local, _, domain = user.lower().rpartition("@")
        values = {"user": user.lower(), "local": local, "domain": domain, "protocol": service}
        quoted = {name: value.replace("'", "''") for name, value in values.items()}
        answers = []
        for variables, query in self.user_queries.items():
            spelt = {getattr(variables, name): value for name, value in quoted.items()}
            answers.append(self.ask(_replaced(query, spelt)))
        assert answers[0] == answers[1]
        return answers[0]


def _replaced(text: str, values: dict[str, str]) -> str:
    """All at once: what is put in may look like another variable."""
    return re.sub("|".join(map(re.escape, values)), lambda found: values[found[0]], text)


def _expanded(query: str, value: Callable[[str], str]) -> str:
    parts = query.split("%")
    done = parts[0]
    for part in parts[1:]:
        done += value(part[:1]) + part[1:]
    return done


@given(world=_worlds(), questions=st.lists(_QUESTIONS, min_size=1, max_size=8))
@example(  # a catch-all beside a mailbox that is being removed
    world=([Mailbox("a@x.test", "h", None, enabled=False), Mailbox("b@x.test", "i", None)], {"@x.test": ["b@x.test"]}),
    questions=["a@x.test", "a+tag@x.test", "c@x.test", "+tag@x.test", "c+sent-abc@x.test"],
)  # fmt: skip
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sql_and_memory_agree(
    engines: list[Engine], world: tuple[list[Mailbox], dict[str, list[str]]], questions: list[str]
) -> None:
    for engine in engines:
        engine.fill(*world)
        for question in questions:
            names = names_of(question)
            if not names:
                continue  # no address to the embedded receiver, which answers 501 (blanks in quotes)
            base = engine.directory.named(question)
            reached = list(engine.directory.targets(base))
            where = f"{engine.lookup.driver} {question}"
            assert engine.postfix("mailboxes.cf", question) == reached[:1], where
            assert engine.postfix("aliases.cf", question) == (reached if len(reached) > 1 else []), where
            assert engine.dovecot(question, "lmtp") == reached[:1], where
            held = engine.directory.row(names[0])
            opened = [names[0]] if held is not None and (held.enabled or held.making) else []
            assert engine.dovecot(question, "imap") == opened, where
            ours = engine.directory.has_domain(base.rpartition("@")[2])
            sent = is_sent_copy(question)
            assert bool(engine.postfix("sent-guard.cf", question)) == (sent and ours), where
            owner = names[0].partition("+sent-")[0] + "@" + names[0].rpartition("@")[2]
            live = engine.directory.find(owner) is not None
            assert bool(engine.postfix("sent-transport.cf", question)) == (sent and live), where
            senders = [row.address for row in engine.directory.mailboxes() if row.enabled]
            allowed = sorted(one for one in senders if engine.directory.may_send(one, base))
            assert sorted(engine.postfix("logins.cf", question)) == allowed, where
            assert engine.postfix("logins.cf", "@" + base.rpartition("@")[2]) == [], where


def test_postfix_itself_asks_so(place: Lookup, directory: Directory, tmp_path: Path) -> None:
    """What Postfix puts into the queries, whatever the address looks like."""
    directory.add_domain("x.test")
    directory.add_mailboxes([Mailbox("a@x.test", "h1", None), Mailbox("b@x.test", "h2", None)])
    directory.set_aliases({"both@x.test": ["a@x.test", "b@x.test"], "@x.test": ["b@x.test"]})
    for name, query in tables(place, "/run").items():
        (tmp_path / name).write_text(place.map_file(query))
    (tmp_path / "main.cf").write_text("compatibility_level = 3.6\nrecipient_delimiter = +\n")

    def ask(table: str, *keys: str) -> dict[str, str]:
        kind = place.map_type.removeprefix("proxy:")
        done = subprocess.run(
            ["postmap", "-c", str(tmp_path), "-q", "-", f"{kind}:{tmp_path}/{table}"],
            input="".join(f"{key}\n" for key in keys).encode("utf-8", "surrogateescape"),
            capture_output=True, timeout=60,
        )  # fmt: skip
        assert not done.stderr, done.stderr
        lines = done.stdout.decode("utf-8", "surrogateescape").splitlines()
        return dict(line.split("\t", 1) for line in lines)

    odd = [
        "it's@x.test",
        "a\\'@x.test",
        "a%u@x.test",
        "a$x@x.test",
        "ü@x.test",
        "a;--@x.test",
        "c%a@x.test",
    ]
    assert ask("mailboxes.cf", "a@x.test", "A@X.TEST", "a+t@x.test", "a@else.test", "@x.test", "x.test") == {
        "a@x.test": "a@x.test",
        "A@X.TEST": "a@x.test",
        "a+t@x.test": "a@x.test",
    }
    assert ask("mailboxes.cf", *odd) == dict.fromkeys(odd, "b@x.test"), "unknown, so the catch-all's"
    assert ask("aliases.cf", "both+t@x.test", "a@x.test", "who@x.test") == {
        "both+t@x.test": "a@x.test,b@x.test"
    }
    assert ask("logins.cf", "both@x.test", "who@x.test", "@x.test", *odd) == {
        "both@x.test": "a@x.test,b@x.test"
    }
    assert set(ask("sent-guard.cf", "a+sent-x@x.test", "who+sent-x@x.test", "a+s@x.test", *odd)) == {
        "a+sent-x@x.test",
        "who+sent-x@x.test",
    }
    directory.add_mailboxes([Mailbox("a+t@x.test", "h3", None), Mailbox("c%a@x.test", "h4", None)])
    assert ask(
        "mailboxes.cf", "a+t@x.test", "A+T+more@x.test", "a+u@x.test", "c%a@x.test", "c%a+t@x.test"
    ) == {
        "a+t@x.test": "a+t@x.test",
        "A+T+more@x.test": "a+t@x.test",
        "a+u@x.test": "a@x.test",
        "c%a@x.test": "c%a@x.test",
        "c%a+t@x.test": "c%a@x.test",
    }
    assert ask("logins.cf", "a+t@x.test", "a+t+more@x.test", "a+u@x.test") == {
        "a+t@x.test": "a+t@x.test",
        "a+t+more@x.test": "a+t@x.test",
        "a+u@x.test": "a@x.test",
    }
    assert ask("domains.cf", "x.test", "else.test", "x.test'--") == {"x.test": "x.test"}


def test_a_password_of_any_letters_reaches_the_readers(postgres: PostgresCluster, tmp_path: Path) -> None:
    """The URL is percent-encoded for the files of Postfix and Dovecot."""
    awkward = "p@ss w:or/d%'#$,\"\\{}"
    name = postgres.new_database().rpartition("/")[2]
    postgres.run(f"CREATE ROLE {name} LOGIN PASSWORD '{awkward.replace(chr(39), chr(39) * 2)}'")
    owner = Lookup(tmp_path / "none", postgres.url(name))
    with closing(Directory(owner.storage())) as directory:
        directory.open()
        directory.add_domain("x.test")
    for grant in (
        f"USAGE ON SCHEMA postern_mail TO {name}",
        f"SELECT ON ALL TABLES IN SCHEMA postern_mail TO {name}",
    ):
        postgres.run(f"GRANT {grant}", name)
    reader = postgres.url(name, name, quote(awkward, safe=""))
    lookup = Lookup(tmp_path / "none", postgres.url(name), reader)
    (tmp_path / "domains.cf").write_text(lookup.map_file(tables(lookup, "/run")["domains.cf"]))
    (tmp_path / "main.cf").write_text("compatibility_level = 3.6\n")
    done = subprocess.run(
        ["postmap", "-c", str(tmp_path), "-q", "x.test", f"pgsql:{tmp_path}/domains.cf"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("x.test\n", "")
    with pytest.raises(psycopg.errors.InsufficientPrivilege), psycopg.connect(reader) as connection:
        connection.execute("DELETE FROM postern_mail.domain")
