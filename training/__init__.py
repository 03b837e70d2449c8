"""How a captioner is made and judged: distillation, decoder training, evaluation."""
