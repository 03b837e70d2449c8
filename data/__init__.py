"""Pictures and facts at rest: decoding, folder walking, the store, settings and data sets."""
