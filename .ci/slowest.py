"""Print the ten slowest tests of some JUnit reports: ``python3 .ci/slowest.py REPORT...``."""

import sys
from pathlib import Path
from xml.etree import ElementTree as ET

tests = [
    (float(case.get("time", 0)), f"{Path(report).stem}: {case.get('classname')}.{case.get('name')}")
    for report in sys.argv[1:]
    for case in ET.parse(report).iter("testcase")
]
for seconds, name in sorted(tests, reverse=True)[:10]:
    print(f"{seconds:7.1f} s  {name}")
