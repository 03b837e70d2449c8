"""What a picture file says of itself beside its pixels: when it was taken, titles, keywords, names and places."""
