"""What colours a file's pixels mean, and their conversion to sRGB."""
