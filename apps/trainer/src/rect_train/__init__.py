"""rect-train: trains the encoder and its heads, one phase after the other or together."""
