"""Decode baseline JPEG files at an eighth of their size, without computing what that size does not need."""
