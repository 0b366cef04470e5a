"""Sign plugins, and believe those that a trusted key has signed."""
