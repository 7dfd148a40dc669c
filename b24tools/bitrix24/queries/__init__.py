"""What b24tools asks the portal.

A `Query` is a command together with the reader of its answer; readers raise PortalError on a shape they do not know.
`ListParams` are those of a list that is read by key, page by page. What begins with `fetch_` asks by itself.
"""

# mypy: implicit-reexport
# ruff: noqa: F403

from b24tools.bitrix24.queries.disk import *
from b24tools.bitrix24.queries.groups import *
from b24tools.bitrix24.queries.messages import *
from b24tools.bitrix24.queries.tasks import *
from b24tools.bitrix24.queries.users import *
from b24tools.bitrix24.queries.webhook import *
from b24tools.bitrix24.queries.working_time import *
