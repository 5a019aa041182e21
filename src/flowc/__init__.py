"""flowc compiles a business procedure into the weights of a small language model."""
