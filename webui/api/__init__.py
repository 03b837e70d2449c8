"""The HTTP API: search, pictures, library, copies, exports and health."""
