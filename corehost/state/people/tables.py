"""The tables in which people, their roles and their tokens are kept."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, String, Table, Text

from corehost.state.tables import metadata

users = Table(
    "users",
    metadata,
    Column("id", String, primary_key=True),
    Column("password", Text, nullable=True),
    Column("disabled", Boolean, nullable=False),
    Column("created", Float, nullable=False),
    Column("seen", Float, nullable=True),
)
roles = Table(
    "roles",
    metadata,
    Column("name", String, primary_key=True),
    Column("description", Text, nullable=False),
    Column("permissions", Text, nullable=False),
)
user_roles = Table(
    "user_roles",
    metadata,
    Column("user", String, primary_key=True),
    Column("role", String, primary_key=True),
)
api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", String, primary_key=True),
    Column("hash", String, nullable=False, unique=True),
    Column("user", String, nullable=False),
    Column("name", Text, nullable=False),
    Column("permissions", Text, nullable=True),
    Column("created", Float, nullable=False),
    Column("expires", Float, nullable=True),
    Column("used", Float, nullable=True),
)
identities = Table(
    "identities",
    metadata,
    Column("issuer", String, primary_key=True),
    Column("subject", String, primary_key=True),
    Column("user", String, nullable=False),
)
