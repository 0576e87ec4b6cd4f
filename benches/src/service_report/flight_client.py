"""Fetches a whole table some times; prints rows, bytes, the sum of the marks and the median seconds."""
import statistics
import sys
import time

import pyarrow.compute as compute
import pyarrow.flight as flight

address, ticket, times = sys.argv[1], sys.argv[2].encode(), int(sys.argv[3])
client = flight.connect(address)
seconds = []
for _ in range(times):
    start = time.perf_counter()
    table = client.do_get(flight.Ticket(ticket)).read_all()
    seconds.append(time.perf_counter() - start)
marks = compute.sum(table["mark"]).as_py()
print(f"{table.num_rows} {table.nbytes} {marks} {statistics.median(seconds):.6f}")
