"""Faces of pictures and the people they belong to, in the store."""
