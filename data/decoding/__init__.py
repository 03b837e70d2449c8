"""Picture files become pixels within bounds of time and memory: costly and odd ones in child processes."""
