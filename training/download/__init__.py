"""Flickr8k is fetched, unpacked safely and checked."""
