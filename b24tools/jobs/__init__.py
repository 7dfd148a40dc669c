"""What the tool does: one module a verb, each returning a frozen result."""
