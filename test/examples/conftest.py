from __future__ import annotations

import pytest
from ros_domains import next_domain


@pytest.fixture(autouse=True)
def own_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test apart from other ROS nodes on this machine."""
    monkeypatch.setenv('ROS_DOMAIN_ID', str(next_domain()))
