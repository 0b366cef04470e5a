"""Messages within one process."""
