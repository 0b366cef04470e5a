"""Install, upgrade and remove plugins while the host serves, so that a power cut leaves the old or the new."""
