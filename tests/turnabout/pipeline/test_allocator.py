import pytest

from turnabout.commands import doctor
from turnabout.pipeline import allocator


@pytest.fixture(autouse=True)
def linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LD_PRELOAD", raising=False)
    monkeypatch.setattr(allocator.sys, "platform", "linux")
    monkeypatch.setattr(allocator, "find_library", {"tcmalloc_minimal": "libtcmalloc_minimal.so.4"}.get)


def test_stages_run_on_tcmalloc_where_it_is_installed() -> None:
    assert allocator.allocator_environment() == {"LD_PRELOAD": "libtcmalloc_minimal.so.4"}


@pytest.mark.parametrize(
    ("target", "value"), [("find_library", lambda name: None), ("sys.platform", "darwin")], ids=["absent", "no Linux"]
)
def test_elsewhere_on_the_allocator_of_the_system(monkeypatch: pytest.MonkeyPatch, target: str, value: object) -> None:
    monkeypatch.setattr(f"turnabout.pipeline.allocator.{target}", value)
    assert allocator.allocator_environment() == {}
    assert "`make tcmalloc`" in doctor._check_allocator().finding


def test_what_is_preloaded_already_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD", "libjemalloc.so.2")
    assert allocator.allocator_environment() == {}
    assert doctor._check_allocator() == doctor.Check("allocator", "libjemalloc.so.2")
