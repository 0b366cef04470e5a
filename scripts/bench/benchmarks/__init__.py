"""Measure corehost against its peers, in one run and on one machine."""
