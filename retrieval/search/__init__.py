"""A query becomes hits: what is asked for, the evidence, one relevance, and what may be found at all."""
