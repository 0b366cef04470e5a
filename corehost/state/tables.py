"""The tables of the host's own database."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, MetaData, String, Table, Text

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
)
used_codes = Table(
    "used_codes", metadata, Column("hash", String, primary_key=True), Column("used", Float, nullable=False)
)
