"""Vectors of pictures, and which are nearest to a query's."""
