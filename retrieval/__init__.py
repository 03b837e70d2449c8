"""A query becomes ranked hits: BLEU postings, vectors, fusion, search and the library that holds them."""
