"""A small Bitrix24 portal for the demo, the tests and for trying things out."""
