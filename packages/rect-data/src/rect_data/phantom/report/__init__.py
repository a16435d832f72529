"""The report of a phantom, and the reasoning that leads to it, written from its facts alone."""
