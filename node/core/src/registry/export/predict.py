"""Predicts from raw rows with NumPy alone: python3 predict.py rows.csv > answers.csv
Rows are CSV with a comma, semicolon, tab or bar, or JSON lines; columns are named as in manifest.json, in any case and order."""
import csv, datetime, io, json, struct, sys
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
    if absent and column["missing"] == "refuse":
        raise ValueError
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

def table(path):
    """The rows of a file, by the names of the model's columns."""
    text = open(path, newline="", encoding="utf-8-sig").read()
    if text.lstrip().startswith("{"):
        show = lambda value: "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        rows = [{name: show(value) for name, value in json.loads(line).items()} for line in text.splitlines() if line.strip()]
    else:
        head = text.split("\n", 1)[0]
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t|", key=head.count), skipinitialspace=True))
    wanted = {column["name"] for column in about["preprocessing"]} | {about["output"]["column"]}
    known = {name.strip().lower(): name for name in wanted}
    names = {name: name.strip() if name.strip() in wanted else known.get(name.strip().lower(), name) for row in rows for name in row if name}
    rows = [{names[name]: cell or "" for name, cell in row.items() if name} for row in rows]
    for line, row in enumerate(rows, 1):
        lacking = [column["name"] for column in about["preprocessing"] if column["name"] not in row]
        if lacking:
            sys.exit(f"{path}, row {line}: no column {', '.join(lacking)}; it has {', '.join(row)}. Wanted: a header with the names "
                     "in manifest.json, and commas, semicolons, tabs or bars between cells; or JSON lines")
    return rows

def cell(line, row, column):
    try:
        return inputs(row[column["name"]], column)
    except ValueError:
        sys.exit(f"{sys.argv[1]}, row {line}, column {column['name']}: {row[column['name']]!r} is no {column['type']} (a decimal point, no unit)")

if len(sys.argv) != 2:
    sys.exit(__doc__)
rows = table(sys.argv[1])
if not rows:
    sys.exit(f"{sys.argv[1]}: it has no rows")
x = np.array([sum((cell(line, row, column) for column in about["preprocessing"]), []) for line, row in enumerate(rows, 1)], "<f4")
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
