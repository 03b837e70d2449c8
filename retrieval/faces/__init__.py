"""Faces in a library: found, searched by, and grouped into people."""
