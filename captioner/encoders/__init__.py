"""Encoders: each turns pictures into a grid of features, a vector, or both. VGG16 is the default."""
