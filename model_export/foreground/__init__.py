"""A foreground prior learnt across sets, without a label, as a further output of a model file."""
