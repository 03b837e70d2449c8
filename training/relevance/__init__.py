"""What evidence is worth is learnt from a split: relevance, second look, whitening."""
