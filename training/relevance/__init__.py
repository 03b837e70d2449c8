"""Calibration, learnt from a split: relevance, reranker, whitening, words that pictures do not show."""
