"""The search index on disk: segments, the list of them, and how they follow the store."""
