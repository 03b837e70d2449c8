"""Classifiers of a library's pictures: examples, training by discriminants, figures on what is held out."""
