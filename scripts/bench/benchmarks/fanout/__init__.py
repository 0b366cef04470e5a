"""Messages from one publisher to many browsers' sockets."""
