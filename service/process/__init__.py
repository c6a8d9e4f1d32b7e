"""The processes of the service: their start, their workers, their signals, their logs."""
