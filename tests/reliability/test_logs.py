"""What the logs say of ordinary days and of bad ones, and what they never say."""

from __future__ import annotations

from tests.receiver import Receiver
from tests.reliability.conftest import House
from tests.servers import eventually

SECRET = "s3cr3t"


def test_no_log_holds_the_address_of_a_callback(house: House, receiver: Receiver) -> None:
    house.deployment.environment["LOG_LEVEL"] = "debug"
    house.open("web", "worker")
    url = f"{receiver.url}?token={SECRET}"
    task_id = house.submit(task_type="test", callback_url=url)
    house.called_back_once(task_id)
    # Nor where it cannot be delivered.
    for address in (f"http://127.0.0.1:1/{SECRET}?token={SECRET}", f"http://kb:port/?token={SECRET}"):
        house.submit(task_type="test", callback_url=address)
    worker = house.deployment.processes[1]
    eventually(lambda: worker.log.count("callback_put_off") == worker.log.count("callback_refused") == 1)
    assert SECRET not in house.deployment.logs()
    (answered,) = [line for line in worker.log.splitlines() if "callback_answered" in line]
    assert task_id in answered and "127.0.0.1" in answered
