"""What ``import rollingball`` does: little, so that it takes a tenth of a second beside NumPy and Warp."""

import json
import subprocess
import sys

SCRIPT = """
import json, sys
import numpy, warp
before = set(sys.modules)
import rollingball
new = set(sys.modules) - before
made = [
    made.key
    for name in new
    if name.startswith("rollingball.")
    for made in warp.get_module(name).functions.values()
    if made.native_snippet is None
]
packages = sorted({name.split(".")[0] for name in new})
print(json.dumps({"packages": packages, "read": made, "masked": "numpy.ma" in new}))
"""


def test_it_reads_no_warp_function_and_imports_no_package_that_takes_long():
    ran = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=True)
    seen = json.loads(ran.stdout.splitlines()[-1])
    assert not set(seen["packages"]) & {"scipy", "matplotlib", "torch", "plotly", "tomli_w", "multiprocessing"}
    assert not seen["masked"]
    assert seen["read"] == []


def test_a_function_is_read_when_a_kernel_of_it_is_made():
    import rollingball as rb
    from rollingball.surfaces import classics

    value = classics.rosenbrock_value
    assert rb.surfaces.rosenbrock(2).value([1.0, 1.0]) == 0.0
    assert "def rosenbrock_value" in value.adj.source
    assert not hasattr(value, "no_such_attribute")
