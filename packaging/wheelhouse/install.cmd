@echo off
rem Installs b24tools, or a newer one over it, without the internet: install.cmd [FOLDER], by default C:\b24tools.
setlocal
set "folder=%~1"
if not defined folder set "folder=C:\b24tools"
set "found="
for %%v in (@PYTHONS@) do py -%%v -c "import ensurepip" >nul 2>&1 && set "found=%%v"
if not defined found echo b24tools needs Python @NAMES@ from python.org, with its launcher py>&2 & exit /b 1
if not exist "%folder%\.venv\Scripts\python.exe" py -%found% -m venv "%folder%\.venv" || exit /b 1
"%folder%\.venv\Scripts\python" -m pip install --quiet --disable-pip-version-check --no-index --find-links "%~dp0wheels" --upgrade b24tools || exit /b 1
"%folder%\.venv\Scripts\b24tools" --version
