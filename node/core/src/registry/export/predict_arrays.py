"""Predicts from pictures with NumPy alone: python3 predict.py pictures.npy > answers.csv
Pictures are an array [rows, channels, height, width] (one channel may be left out) in an .npy file, or the first such array of an
.npz file, as their source has them: 0 to 255 for most."""
import csv, json, struct, sys
from pathlib import Path
import numpy as np

here = Path(__file__).parent
about = json.loads((here / "manifest.json").read_text())
blob = (here / "model.safetensors").read_bytes()
size = struct.unpack("<Q", blob[:8])[0]
weights = {name: np.frombuffer(blob[8 + size:], "<f4", (at["data_offsets"][1] - at["data_offsets"][0]) // 4,
           at["data_offsets"][0]).reshape(at["shape"]) for name, at in json.loads(blob[8:8 + size]).items() if name != "__metadata__"}
if len(sys.argv) != 2:
    sys.exit(__doc__)
width, shape = int(np.prod(about["input"])), about["input"]
try:
    found = np.load(sys.argv[1])
except (OSError, ValueError) as error:
    sys.exit(f"{sys.argv[1]}: {error}; wanted: an .npy or .npz file of NumPy with pictures of {shape}")
arrays = [found[name] for name in found.files] if hasattr(found, "files") else [found]
fitting = [array for array in arrays if array.ndim > 1 and array[0].size == width]
if not fitting:
    sys.exit(f"{sys.argv[1]}: it has arrays of {[list(array.shape) for array in arrays]}; wanted: [rows] + {shape} (channels, height, width)")
x = fitting[0].reshape(-1, width).astype("<f4") / float(about["scaling"].removeprefix("unit:"))
for weight, bias in about["layers"]:
    x = x @ weights[weight] + weights[bias]
    x = np.maximum(x, 0) if [weight, bias] != about["layers"][-1] else x
p = np.exp(x - x.max(1, keepdims=True)); p /= p.sum(1, keepdims=True)
out = csv.writer(sys.stdout, lineterminator="\n")
out.writerows([["class"] + [f"p({name})" for name in about["classes"]]])
out.writerows([about["classes"][q.argmax()]] + [f"{v:.6f}" for v in q] for q in p)
