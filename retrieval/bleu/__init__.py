"""Sentence BLEU of a query against every picture of a gallery, computed from n-gram postings."""
