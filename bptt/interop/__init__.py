"""Weight layouts of other libraries, as plain mappings of arrays. Nothing is imported from them.

Each library has a module, which says how that library names, turns and orders what here is w, u and b.
What a function does not read it refuses by name. From here to there and back is exact, bit for bit.
"""

from bptt.interop.keras import from_keras, to_keras
from bptt.interop.onnx import from_onnx, to_onnx

__all__ = ["from_keras", "from_onnx", "to_keras", "to_onnx"]
