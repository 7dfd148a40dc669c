"""A client that openapi-python-client makes of `/openapi.json`, against the service on the sandbox.

The generator wants an older Typer than b24tools has, so it is a program with an environment of its own:
`pipx install openapi-python-client`.
"""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from b24tools import context
from b24tools.sandbox import demo_company
from b24tools.server.auth import Access
from tests.support.orders import Clock
from tests.support.server import SERVE, Served, serving

GENERATOR = shutil.which("openapi-python-client")
NAME = "b24tools_client"
# what is not in every answer, by model; all else is always there
SOMETIMES = {
    "AssignedOrder": {"warnings"},
    "Decision": {"earlier", "now"},
    "Health": {"failed_orders", "inbox_failed", "inbox_oldest_age_s", "last_intake_age_s", "problem"},
    "Leaderboard": {"frozen", "mode", "others", "totals"},
    "OrderAnswer": {"orders", "warnings"},
    "OrderProblem": {"orders", "warnings"},
    "OrdersAsTheyStand": {"warnings"},
    "PersonLoad": {"tasks", "terms"},
    "RankingRow": {"badges", "department_id", "people", "per_person", "shown"},
    "Readiness": {"problem"},
    "Terms": {"hours_a_week", "never", "only", "rate", "schedule"},
}
GIVEN = {"Attachment", "Line", "Order", "PortalEvent", "EventData", "EventTask", "EventAuth"}  # what is sent

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(GENERATOR is None, reason="openapi-python-client is not on the path"),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The service of the plant on a Monday morning."""
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock()
        patch.setattr(context, "now", clock)
        with serving(demo_company.build(clock), tmp_path_factory.mktemp("served"), Access(SERVE)) as opened:
            opened.client.auth = ("client", SERVE)
            yield opened


@pytest.fixture(scope="module")
def generated(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the client, which can be imported."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "openapi.json").write_bytes(served.client.get("/openapi.json").content)
    (folder / "config.yaml").write_text("post_hooks: []\n", encoding="utf-8")
    command = [GENERATOR or "", "generate", "--path", "openapi.json", "--meta", "none", "--output-path", NAME]
    command += ["--config", "config.yaml", "--fail-on-warning"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert 0 == done.returncode, done.stdout + done.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield folder / NAME


def load(name: str) -> Any:
    """A module of the client."""
    return importlib.import_module(f"{NAME}.{name}")


def test_every_field_has_a_type(generated: Path) -> None:
    """No `Any`; `Unset` only where a key is not in every answer."""
    models = load("models")
    sometimes = {}
    for name in models.__all__:
        fields = attrs.fields_dict(getattr(models, name)) if attrs.has(getattr(models, name)) else {}
        types = {field: str(attribute.type) for field, attribute in fields.items() if field != "additional_properties"}
        assert [] == [field for field, kind in types.items() if re.search(r"\bAny\b|\bobject\b", kind)], name
        if name not in GIVEN and (unset := {field for field, kind in types.items() if "Unset" in kind}):
            sometimes[name] = unset
    assert SOMETIMES == sometimes
    operations = {path.stem for path in generated.glob("api/*/*.py")} - {"__init__"}
    assert {"send_order", "plan_order", "list_orders", "get_order", "set_setting", "get_leaderboard"} <= operations


@pytest.mark.usefixtures("generated")
def test_it_plans_sends_and_reads_an_order(served: Served) -> None:
    """With values of Python, and an error as a model."""
    models = load("models")
    ask = {name: load(f"api.tag1c.{name}").sync for name in ("plan_order", "send_order", "get_order", "list_orders")}
    line = models.Line(должность="Сварщик", время=60.0)
    order = models.Order(идентификаторзаказа="generated", номерзаказа="1Ц-7", калькуляция=[line])

    with load("client").AuthenticatedClient(base_url=served.url, token=SERVE) as client:
        (planned,) = ask["plan_order"](client=client, body=order)
        sent = ask["send_order"](client=client, body=[order], details=True)
        (standing,) = ask["get_order"]("1Ц-7", client=client).orders
        missing = ask["get_order"]("9", client=client)
        listed = ask["list_orders"](client=client).orders

    assert (models.OrderOutcome.PLANNED, None) == (planned.outcome, planned.tasks[0].task_id)
    assert "2026-11-23T09:00:00+03:00" == planned.tasks[0].start.isoformat()
    assert (models.OrderAnswerMessage.OK, models.OrderOutcome.CREATED) == (sent.message, sent.orders[0].outcome)
    assert ("1Ц-7", models.OrderState.OPEN, 0, 1) == (standing.number, standing.state, standing.done, standing.of)
    assert planned.promise == standing.promised_first
    (task,), (done,) = sent.orders[0].tasks, standing.lines
    assert (task.task_id, task.start, models.TaskStatus.PENDING) == (done.task_id, done.start, done.status)
    assert (models.Problem, models.ErrorCode.UNKNOWN_ORDER) == (type(missing), missing.code)
    assert [standing] == listed
    assert [standing.to_dict()] == served.client.get("/orders/1Ц-7").json()["orders"]
