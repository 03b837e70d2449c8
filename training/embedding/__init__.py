"""Text encoders are taught to put sentences where the pictures are that they describe."""
