"""The bare consolidation of a day's quotes by DuckDB: best bid, best offer and their number, per series, to Parquet."""

import json
import sys
import time

import duckdb

pattern, out, threads, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
connection = duckdb.connect()
connection.execute(f"SET threads = {threads}")
connection.execute("SET enable_progress_bar = false")
query = (
    "COPY (SELECT osi_symbol, max(bid) AS bid, min(ask) AS ask, count(*) AS quotes "
    f"FROM read_parquet('{pattern}') GROUP BY osi_symbol) TO '{out}' (FORMAT parquet)"
)
seconds = []
for _ in range(rounds):
    start = time.perf_counter()
    connection.execute(query)
    seconds.append(time.perf_counter() - start)
quotes = connection.execute(f"SELECT sum(quotes), count(*) FROM read_parquet('{out}')").fetchone()
print(
    json.dumps(
        {
            "version": duckdb.__version__,
            "seconds": sorted(seconds)[len(seconds) // 2],
            "quotes": int(quotes[0]),
            "series": int(quotes[1]),
        }
    )
)
