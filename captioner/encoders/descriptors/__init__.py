"""Descriptors: encoders that compute vectors of colours, textures and shapes by formulas, without weights."""
