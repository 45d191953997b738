"""Measure how wrong and how fast a softmax is. A pytest suite and a command line, not a library."""
