"""Where the one-folder build begins: PyInstaller wants a script."""

from b24tools.__main__ import main

main()
