"""A Flask app with one page and nothing else, for gunicorn to serve: what the host's own layers are measured by."""

from __future__ import annotations

from flask import Flask

app = Flask(__name__)


@app.get("/bench/")
def page() -> str:
    """Return a page as short as pages get."""
    return "<p>A page.</p>"
