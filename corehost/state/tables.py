"""The tables of the host's own database."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Integer, MetaData, String, Table, Text

metadata = MetaData()

plugins = Table(
    "plugins",
    metadata,
    Column("id", String, primary_key=True),
    Column("enabled", Boolean, nullable=True),
    Column("manifest", Text, nullable=True),
)
configs = Table(
    "configs",
    metadata,
    Column("plugin", String, primary_key=True),
    Column("plain", Text, nullable=False),
    Column("secret", Text, nullable=True),
)
preferences = Table(
    "preferences",
    metadata,
    Column("plugin", String, primary_key=True),
    Column("user", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),
)
sessions = Table(
    "sessions",
    metadata,
    Column("id", String, primary_key=True),
    Column("user", String, nullable=False),
    Column("created", Float, nullable=False),
    Column("seen", Float, nullable=False),
    Column("agent", Text, nullable=True),
    Column("address", Text, nullable=True),
)
used_codes = Table(
    "used_codes", metadata, Column("hash", String, primary_key=True), Column("used", Float, nullable=False)
)
grants = Table(
    "grants",
    metadata,
    Column("plugin", String, primary_key=True),
    Column("permission", String, primary_key=True),
    Column("granted", Boolean, nullable=False),
    Column("by", String, nullable=False),
    Column("at", Float, nullable=False),
)
signing_keys = Table(
    "signing_keys",
    metadata,
    Column("key", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("by", String, nullable=False),
    Column("at", Float, nullable=False),
)
audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("at", Float, nullable=False, index=True),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("detail", Text, nullable=False),
    Column("count", Integer, nullable=False),
    sqlite_autoincrement=True,
)
