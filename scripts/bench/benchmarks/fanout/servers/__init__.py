"""The peers' servers, each a small program that is run as `python -m benchmarks.fanout.servers.<name>`."""
