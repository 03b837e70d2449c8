"""How a captioner is made and judged: training and evaluation."""
