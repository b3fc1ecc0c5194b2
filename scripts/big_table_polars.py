"""Reads a CSV with polars, block by block, and prints rows a second and the peak of memory. See scripts/big-table.sh."""

import json
import resource
import sys
import time

import polars as pl

begin = time.perf_counter()
table = pl.scan_csv(sys.argv[1])
# Every cell of every column is parsed; nothing is kept.
names = table.collect_schema().names()
rows = table.select(pl.len().alias("rows"), *[pl.col(name).max() for name in names]).collect(engine="streaming")["rows"][0]
seconds = time.perf_counter() - begin
usage = resource.getrusage(resource.RUSAGE_SELF)
figures = {
    "polars": pl.__version__,
    "threads": pl.thread_pool_size(),
    "rows": rows,
    "read_s": round(seconds, 1),
    "read_cpu_s": round(usage.ru_utime + usage.ru_stime, 1),
    "read_rows_s": round(rows / seconds),
    "peak_mib": usage.ru_maxrss >> 10,
}
print(json.dumps(figures))
