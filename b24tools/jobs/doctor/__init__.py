"""What is well and what is not, and how to mend it: `doctor`. Nothing here writes, neither to the portal nor here."""
