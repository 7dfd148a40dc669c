"""What the tool does: one module or folder a verb, each returning a frozen result."""
