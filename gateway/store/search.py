"""Full text over subject, people and body: FTS5 on SQLite, tsvector on PostgreSQL, behind one function.

The caller's words never reach the query language: each is quoted. A query in a script without spaces that
finds nothing is tried as a substring, because such text is one long word to the tokenizer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from typing import Literal, get_args

from gateway.store.engine import Row, Tx

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
    tx.insert("message_search", {"rowid": seq, **words})


def terms_of(query: str) -> list[str]:
    """The words and "phrases" of a query, without those that hold no letter or digit."""
    text = query[:MAX_QUERY].replace("\x00", " ")
    found = [quoted or word for quoted, word in _PHRASE.findall(text)]
    return [one for one in dict.fromkeys(found) if _WORD.search(one)][:_MAX_TERMS]


def search(
    tx: Tx,
    query: str,
    *,
    columns: str,
    where: str,
    args: list[object],
    order: Order,
    limit: int,
    offset: int = 0,
    within: Collection[Column] = (),
) -> tuple[list[Row], int]:
    """Message rows (``columns`` of table message) that hold every term, and how many there are in all.

    The count stops at ``COUNTED`` + 1. ``where``/``args`` narrow table ``message`` (scope and filters), ``within``
    where the terms may stand. A query without a usable term finds nothing.
    """
    terms = terms_of(query)
    if tx.postgres:
        terms = list(dict.fromkeys(filter(None, map(folded, terms))))
    if not terms:
        return [], 0
    asked = [one for one in _COLUMNS if one in within or not within]
    match, values = _match(tx, terms, asked)
    rows, total = _run(tx, match, values, columns, where, args, order, limit, offset)
    if not total and any(_CJK.search(one) for one in terms):
        match, values = _substrings(terms, asked)
        rows, total = _run(tx, match, values, columns, where, args, order, limit, offset, ranked=False)
    return rows, total


def _match(tx: Tx, terms: list[str], columns: Sequence[Column]) -> tuple[str, list[object]]:
    quoted = " ".join('"' + one.replace('"', " ") + '"' for one in terms)
    everywhere = len(columns) == len(_COLUMNS)
    if not tx.postgres:
        return "message_search MATCH ?", [quoted if everywhere else f"{{{' '.join(columns)}}} : ({quoted})"]
    sql = "message_search.document @@ websearch_to_tsquery('simple', ?)"
    if everywhere:
        return sql, [quoted]
    # what the index finds, looked at again: its entries do not say where a word stands
    there = " || ' ' || ".join(f"coalesce(message_search.{one}, '')" for one in columns)
    return f"{sql} AND to_tsvector('simple', {there}) @@ websearch_to_tsquery('simple', ?)", [quoted, quoted]


def _substrings(terms: list[str], columns: Sequence[Column]) -> tuple[str, list[object]]:
    sql, values = [], list[object]()
    for one in terms:
        pattern = "%" + one.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_") + "%"
        places = " OR ".join(f"lower(message_search.{name}) LIKE ? ESCAPE '!'" for name in columns)
        sql.append(f"({places})")
        values += [pattern] * len(columns)
    return " AND ".join(sql), values


def _run(
    tx: Tx,
    match: str,
    values: list[object],
    columns: str,
    where: str,
    args: list[object],
    order: Order,
    limit: int,
    offset: int,
    *,
    ranked: bool = True,
) -> tuple[list[Row], int]:
    # CROSS JOIN keeps SQLite's planner from asking the full-text index once for every message of the inbox
    source = (
        "FROM message_search CROSS JOIN message "
        f"WHERE message.seq = message_search.rowid AND {match} AND {where}"
    )
    counted = f"SELECT count(*) FROM (SELECT 1 {source} LIMIT {COUNTED + 1}) AS few"  # noqa: S608
    total = int(tx.value(counted, *values, *args))
    if not total:
        return [], 0
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
    rows = tx.rows(
        f"SELECT {columns} {source} ORDER BY {by} LIMIT ? OFFSET ?",
        *values,
        *args,
        *rank_values,
        limit,
        offset,
    )
    return rows, total
