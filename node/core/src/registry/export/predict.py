"""Predicts from raw rows with NumPy alone: python3 predict.py rows.csv > answers.csv"""
import csv, datetime, json, struct, sys
from pathlib import Path
import numpy as np

here = Path(__file__).parent
about = json.loads((here / "manifest.json").read_text())
blob = (here / "model.safetensors").read_bytes()
size = struct.unpack("<Q", blob[:8])[0]
weights = {name: np.frombuffer(blob[8 + size:], "<f4", (at["data_offsets"][1] - at["data_offsets"][0]) // 4,
           at["data_offsets"][0]).reshape(at["shape"]) for name, at in json.loads(blob[8:8 + size]).items() if name != "__metadata__"}
MISSING = {"", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "null", "NULL", "None", "\\N"}

def number(text, column):
    if column["type"] in ("date", "datetime"):
        day = datetime.datetime.fromisoformat(text)
        return (day.replace(tzinfo=day.tzinfo or datetime.timezone.utc) - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)).total_seconds() / 86400
    value = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}.get(text.lower())
    return float(text) if value is None else value

def inputs(text, column):
    """The inputs that become of one cell: Imputer, Scaler and OneHotEncoder of ONNX-ML."""
    text, flag = text.strip(), column["missing"] in ("mean+flag", "own")
    absent = text in MISSING
    if absent and column["missing"].startswith("value:"):
        text, absent = column["missing"][6:], False
    if column["type"] == "category":
        places = [text == value for value in column["values"]]
        cells = [places.index(True) / max(len(places) - 1, 1) if True in places else 0.0] if column["ordered"] else places
        cells = cells + [not absent and True not in places] * column["other"]
    elif column["type"] == "boolean":
        cells = [0.0 if absent else number(text, column)]
    else:
        value = 0.0 if absent else number(text, column)
        value = np.sign(value) * np.log1p(abs(value)) if column["transform"] == "log1p" else value
        value = 0.0 if absent else (value - column["mean"]) / column["sd"]
        cells = [value if column["least"] is None else np.clip(value, column["least"], column["most"])]
    return [float(cell) for cell in cells] + [float(absent)] * flag

rows = list(csv.DictReader(open(sys.argv[1], newline="", encoding="utf-8-sig"), skipinitialspace=True))
x = np.array([sum((inputs(row[column["name"]], column) for column in about["preprocessing"]), []) for row in rows], "<f4")
for weight, bias in about["layers"]:
    x = x @ weights[weight] + weights[bias]
    x = np.maximum(x, 0) if [weight, bias] != about["layers"][-1] else x
label, out = about["output"]["column"], csv.writer(sys.stdout, lineterminator="\n")
if about["output"]["kind"] == "number":
    answers = x[:, 0] * about["output"]["sd"] + about["output"]["mean"]
    out.writerows([[label]] + [[f"{answer:.6g}"] for answer in answers])
else:
    p = np.exp(x - x.max(1, keepdims=True)); p /= p.sum(1, keepdims=True)
    answers = [about["classes"][best] for best in p.argmax(1)]
    out.writerows([["class"] + [f"p({name})" for name in about["classes"]]] + [[a] + [f"{v:.6f}" for v in q] for a, q in zip(answers, p)])
    if rows and label in rows[0]:
        print(f"accuracy {np.mean([row[label].strip() == a for row, a in zip(rows, answers)]):.4f} of {len(rows)} rows", file=sys.stderr)
