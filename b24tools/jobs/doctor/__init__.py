"""What is well and what is not, and how to fix it: `doctor`. Only `write_probe` writes, on request, to the portal."""
