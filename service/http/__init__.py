"""From a request's bytes to its answer's."""
