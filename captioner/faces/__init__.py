"""Faces in pictures: found, aligned and turned into vectors that tell persons apart."""
