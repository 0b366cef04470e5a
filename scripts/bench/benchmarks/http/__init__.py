"""Requests, beside browsers' sockets and alone."""
