"""Training and evaluation of a captioner."""
