"""Evaluate captions and searches, and compare the product with other rankers."""
