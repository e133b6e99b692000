"""Orders, and a diary of what happened, in SQLite."""

import sqlite3
from contextlib import closing

from flask import current_app

SCHEMA = """
    CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT, card TEXT, email TEXT, state TEXT);
    CREATE TABLE IF NOT EXISTS diary (line TEXT);
"""


def create(path):
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(SCHEMA)


def run(sql, *values):
    with closing(sqlite3.connect(current_app.config["DATABASE"], timeout=10)) as database, database:
        cursor = database.execute(sql, values)
        return cursor.fetchall() or cursor.lastrowid


def add_order(item, card, email):
    return run("INSERT INTO orders (item, card, email, state) VALUES (?, ?, ?, 'new')", item, card, email)


def order(order_id):
    return dict(
        zip(
            ("item", "card", "email", "state"),
            run("SELECT item, card, email, state FROM orders WHERE id = ?", order_id)[0],
            strict=True,
        )
    )


def set_state(order_id, state):
    run("UPDATE orders SET state = ? WHERE id = ?", state, order_id)


def write_diary(line):
    run("INSERT INTO diary VALUES (?)", line)


def diary():
    return [line for (line,) in run("SELECT line FROM diary ORDER BY rowid") or []]
