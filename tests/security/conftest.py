"""The measuring modules are run as a program, so they find each other in this folder; the tests do the same."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
