"""The plugins that come with corehost; each is written against the names of ``corehost`` alone."""
