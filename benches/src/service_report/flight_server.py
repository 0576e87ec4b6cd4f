"""Serves one Parquet file's table from memory, as pyarrow.flight does it."""
import sys

import pyarrow.flight as flight
import pyarrow.parquet as parquet


class Server(flight.FlightServerBase):
    def __init__(self, table):
        super().__init__("grpc://127.0.0.1:0")
        self.table = table

    def do_get(self, context, ticket):
        return flight.RecordBatchStream(self.table)


server = Server(parquet.read_table(sys.argv[1], memory_map=False))
print(f"listening on {server.port}", flush=True)
server.serve()
