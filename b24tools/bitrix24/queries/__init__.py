"""What b24tools asks the portal: each request and the reader of its answer in one place."""

# mypy: implicit-reexport
# ruff: noqa: F403

from b24tools.bitrix24.queries.disk import *
from b24tools.bitrix24.queries.groups import *
from b24tools.bitrix24.queries.tasks import *
from b24tools.bitrix24.queries.users import *
from b24tools.bitrix24.queries.webhook import *
from b24tools.bitrix24.queries.working_time import *
