"""Engines besides the pipeline of one process: the same stages on many machines."""
