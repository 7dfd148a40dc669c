#!/bin/sh
# Installs b24tools, or a newer one over it, without the internet: sh install.sh [FOLDER], by default /opt/b24tools.
set -eu
wheels=$(cd "$(dirname "$0")" && pwd)/wheels
folder=${1:-/opt/b24tools}
found=
for python in python3 python3.13 python3.12 python3.11; do
  version=$("$python" -c 'import ensurepip, sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
  case " @PYTHONS@ " in *" $version "*) found=$python; break ;; esac
done
[ -n "$found" ] || { echo "b24tools needs Python @NAMES@ with venv (Debian: python3-venv)" >&2; exit 1; }
[ -x "$folder/.venv/bin/python" ] || "$found" -m venv "$folder/.venv"
"$folder/.venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-index --find-links "$wheels" --upgrade b24tools
"$folder/.venv/bin/b24tools" --version
