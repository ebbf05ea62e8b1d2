"""Values and bytes: canonical bytes and fingerprints by content."""
