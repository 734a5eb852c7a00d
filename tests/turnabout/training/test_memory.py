"""What a process does with memory that it frees, seen from outside: the pages that stay its own."""

import subprocess
import sys

import pytest

#: Allocates and frees 200 MB; tells how many MB more than before it has afterwards.
CODE = """
import psutil, torch
from turnabout.training.memory import keep_freed_memory
{call}
own = psutil.Process().memory_info
before = own().rss
for _ in range(2):
    torch.ones(50_000_000)
print((own().rss - before) // 10**6)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator is Linux's")
@pytest.mark.parametrize(("call", "kept"), [("keep_freed_memory()", True), ("", False)])
def test_freed_memory_stays_with_the_process(call: str, kept: bool) -> None:
    told = subprocess.run([sys.executable, "-c", CODE.format(call=call)], capture_output=True, text=True, check=True)
    assert (int(told.stdout) >= 190) is kept
