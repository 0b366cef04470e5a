"""Plugins that come and go while the host serves."""
