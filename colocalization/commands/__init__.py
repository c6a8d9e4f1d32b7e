"""What all commands share: the entry point that finds them, their options' types, their exit codes."""
