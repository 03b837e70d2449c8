"""Sentence BLEU of a query against every picture of a gallery, out of n-gram postings."""
