"""A gate that lets everything sound pass and nothing else, apart from example.py: what it imports takes a second."""

from __future__ import annotations

from flowc.quality_gate import Gate
from flowc.text_checks import Lengths

GATE = Gate(most_dropped=0, near_duplicate=1, longest=Lengths(message=120, conversation=1500))
