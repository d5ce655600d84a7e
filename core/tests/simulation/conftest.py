"""The simulation's modules stand beside its tests, where `simulate.py` finds them too."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
