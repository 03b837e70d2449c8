"""Captions and searches are judged, and other rankers beside them."""
