"""A query becomes ranked hits: BLEU postings, vectors, evidence, relevance, search and the library that holds them."""
