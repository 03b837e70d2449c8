"""A query becomes ranked hits: BLEU postings, vectors, metadata, ranking, indexing and the library that holds them."""
