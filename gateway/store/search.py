"""Full text over subject, people and body: FTS5 on SQLite, tsvector on PostgreSQL, behind one function.

The caller's words never reach the query language: each is quoted. A query in a script without spaces that
finds nothing is tried as a substring, because such text is one long word to the tokenizer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple, get_args

from gateway.records.ids import ThreadId
from gateway.records.mail import MessageItem
from gateway.store.like import containing
from gateway.store.sql import sql
from gateway.store.transaction import Tx

MAX_QUERY = 1000
COUNTED = 5_000
"""More hits than this are neither counted nor ranked: they come in the order they were indexed."""
_MAX_TERMS = 32
_ACCENTS = re.compile("[\u0300-\u036f]")
_BETWEEN = re.compile(r"[\W_]+")
_PHRASE = re.compile(r'"([^"]*)"|(\S+)')
_WORD = re.compile(r"\w", re.UNICODE)
_CJK = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3040-\u30ff\u3100-\u312f\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
)

Order = Literal["rank", "newest", "oldest"]
Column = Literal["subject", "people", "body"]
_COLUMNS: tuple[Column, ...] = get_args(Column)
# CROSS JOIN keeps SQLite's planner from asking the full-text index once for every message of the inbox
_SOURCE = "message_search CROSS JOIN message"


def folded(text: str) -> str:
    """Text as PostgreSQL keeps it for searching: small letters without their accents, words without what joins them.
    FTS5's tokenizer does the same by itself."""
    bare = _ACCENTS.sub("", unicodedata.normalize("NFD", text))
    return _BETWEEN.sub(" ", unicodedata.normalize("NFC", bare).lower()).strip()


def add(tx: Tx, seq: int, subject: str, people: str, body: str) -> None:
    """Have a message found by these words."""
    words = {"subject": subject, "people": people, "body": body}
    if tx.postgres:
        words = {name: folded(text) for name, text in words.items()}
    sql(tx).insert("message_search", {"rowid": seq, **words})


def terms_of(query: str) -> list[str]:
    """The words and "phrases" of a query, without those that hold no letter or digit."""
    text = query[:MAX_QUERY].replace("\x00", " ")
    found = [quoted or word for quoted, word in _PHRASE.findall(text)]
    return [one for one in dict.fromkeys(found) if _WORD.search(one)][:_MAX_TERMS]


def found_messages(
    tx: Tx,
    query: str,
    *,
    where: str,
    args: list[object],
    order: Order,
    limit: int,
    offset: int,
    within: Collection[Column],
) -> tuple[list[MessageItem], int]:
    """Messages that hold every term, and how many there are in all.

    The count stops at ``COUNTED`` + 1. ``where``/``args`` narrow table ``message`` (scope and filters), ``within``
    where the terms may be. A query without a usable term finds nothing.
    """
    hits = _search(tx, query, where, args, order, within)
    if hits is None:
        return [], 0
    messages = sql(tx).all(
        MessageItem, f"{hits.rest} LIMIT ? OFFSET ?", *hits.args, limit, offset, source=_SOURCE
    )
    return messages, hits.total


def found_thread_ids(
    tx: Tx, query: str, *, where: str, args: list[object], order: Order, limit: int
) -> list[ThreadId]:
    """The threads of the ``limit`` best messages that hold every term, each once, the best first."""
    hits = _search(tx, query, where, args, order, ())
    if hits is None:
        return []
    rows = sql(tx).rows(
        f"SELECT message.thread_id FROM {_SOURCE} {hits.rest} LIMIT ?",  # noqa: S608
        *hits.args,
        limit,
    )
    return list(dict.fromkeys(row["thread_id"] for row in rows))


class _Hits(NamedTuple):
    """How many messages match, and what follows ``SELECT … FROM _SOURCE`` to read them."""

    total: int
    rest: str
    args: list[object]


def _search(
    tx: Tx, query: str, where: str, args: list[object], order: Order, within: Collection[Column]
) -> _Hits | None:
    terms = terms_of(query)
    if tx.postgres:
        terms = list(dict.fromkeys(filter(None, map(folded, terms))))
    if not terms:
        return None
    asked = [one for one in _COLUMNS if one in within or not within]
    match, values = _match(tx, terms, asked)
    hits = _count(tx, match, values, where, args, order)
    if hits is None and any(_CJK.search(one) for one in terms):
        match, values = _substrings(terms, asked)
        hits = _count(tx, match, values, where, args, order, ranked=False)
    return hits


def _match(tx: Tx, terms: list[str], columns: Sequence[Column]) -> tuple[str, list[object]]:
    quoted = " ".join('"' + one.replace('"', " ") + '"' for one in terms)
    everywhere = len(columns) == len(_COLUMNS)
    if not tx.postgres:
        return "message_search MATCH ?", [quoted if everywhere else f"{{{' '.join(columns)}}} : ({quoted})"]
    sql = "message_search.document @@ websearch_to_tsquery('simple', ?)"
    if everywhere:
        return sql, [quoted]
    # what the index finds, checked again: its entries do not say where a word is
    there = " || ' ' || ".join(f"coalesce(message_search.{one}, '')" for one in columns)
    return f"{sql} AND to_tsvector('simple', {there}) @@ websearch_to_tsquery('simple', ?)", [quoted, quoted]


def _substrings(terms: list[str], columns: Sequence[Column]) -> tuple[str, list[object]]:
    sql, values = [], list[object]()
    for one in terms:
        places = " OR ".join(f"lower(message_search.{name}) LIKE ? ESCAPE '!'" for name in columns)
        sql.append(f"({places})")
        values += [containing(one)] * len(columns)
    return " AND ".join(sql), values


def _count(
    tx: Tx,
    match: str,
    values: list[object],
    where: str,
    args: list[object],
    order: Order,
    *,
    ranked: bool = True,
) -> _Hits | None:
    matching = f"WHERE message.seq = message_search.rowid AND {match} AND {where}"
    counted = f"SELECT count(*) FROM (SELECT 1 FROM {_SOURCE} {matching} LIMIT {COUNTED + 1}) AS few"  # noqa: S608
    total = int(sql(tx).value(counted, *values, *args))
    if not total:
        return None
    by, rank_values = "message.timestamp DESC, message.seq DESC", list[object]()
    if order == "oldest":
        by = "message.timestamp ASC, message.seq ASC"
    if total > COUNTED:
        # a common word: walk the full-text index from its end instead of ranking every hit
        by = f"message_search.rowid {'ASC' if order == 'oldest' else 'DESC'}"
    elif order == "rank" and ranked:
        if tx.postgres:
            rank = "ts_rank('{0.125, 0.125, 0.5, 1}', message_search.document, websearch_to_tsquery('simple', ?))"
            by = f"{rank} DESC, {by}"
            rank_values = values[:1]
        else:
            by = f"bm25(message_search, 8.0, 4.0, 1.0), {by}"
    return _Hits(total, f"{matching} ORDER BY {by}", [*values, *args, *rank_values])
