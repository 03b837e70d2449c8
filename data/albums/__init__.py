"""Favourites and albums in the store."""
