"""The text encoders, which map sentences near the pictures that they describe."""
