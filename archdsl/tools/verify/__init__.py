"""Comparison of both backends: the PyTorch module and an ONNX file with equal weights.

`compare` runs the two, `state` holds the module against what the graph declares, `files` reads
the ONNX file and its weights, `report` is what was found. Needs torch, onnx and onnxruntime.
"""

from __future__ import annotations

from archdsl.tools.verify.compare import verify as verify
from archdsl.tools.verify.report import OutputReport as OutputReport
from archdsl.tools.verify.report import Report as Report

__all__ = ["OutputReport", "Report", "verify"]
