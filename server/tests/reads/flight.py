"""Reads a close by Arrow Flight and compares it with the published files. Arguments: location, out, date, run, token."""

import json
import sys

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.flight as flight
import pyarrow.parquet as parquet

location, out, date, run, token = sys.argv[1:6]
client = flight.connect(location)
options = flight.FlightCallOptions(headers=[(b"authorization", f"Bearer {token}".encode())]) if token else None


def ticket(**fields):
    return flight.Ticket(json.dumps(fields).encode())


def plain(table):
    """Dictionaries resolved: what the rows say, whatever the encoding."""
    columns = [
        column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column for column in table.columns
    ]
    return pa.table(columns, names=table.column_names).combine_chunks()


def refused(error, words, call):
    try:
        call()
    except error as problem:
        assert words in str(problem), problem
    else:
        raise AssertionError(f"not refused: {words}")


rows = 0
for dataset in ["marks", "slices", "exceptions", "risk_arrays"]:
    files = parquet.read_table(f"{out}/date={date}/run={run}/{dataset}.parquet", partitioning=None)
    got = client.do_get(ticket(dataset=dataset, date=date), options).read_all()
    assert got.schema.names == files.schema.names, dataset
    assert [f.type for f in got.schema] == [f.type for f in files.schema], (got.schema, files.schema)
    assert plain(got).equals(plain(files)), dataset
    named = client.do_get(ticket(dataset=dataset, date=date, run=run), options).read_all()
    assert plain(named).equals(plain(files)), dataset
    info = client.get_flight_info(flight.FlightDescriptor.for_path(dataset, date), options)
    assert info.total_records == files.num_rows, dataset
    assert info.schema.names == files.schema.names, dataset
    again = client.do_get(info.endpoints[0].ticket, options).read_all()
    assert again.num_rows == files.num_rows, dataset
    schema = client.get_schema(flight.FlightDescriptor.for_command(json.dumps({"dataset": dataset, "date": date})), options)
    assert schema.schema.names == files.schema.names, dataset
    rows += files.num_rows

marks = plain(parquet.read_table(f"{out}/date={date}/run={run}/marks.parquet", partitioning=None))
for underlying in sorted(set(marks["underlying"].to_pylist()))[:5]:
    got = plain(client.do_get(ticket(dataset="marks", date=date, underlying=underlying), options).read_all())
    assert got.num_rows > 0 and got.equals(marks.filter(pc.equal(marks["underlying"], underlying)).combine_chunks()), underlying
assert client.do_get(ticket(dataset="marks", date=date, underlying="NO SUCH"), options).read_all().num_rows == 0

listed = {tuple(json.loads(info.descriptor.command)[key] for key in ("dataset", "date", "run")) for info in client.list_flights(b"", options)}
assert ("marks", date, run) in listed and ("slices", date, run) in listed, listed

refused(Exception, "2020-01-02", lambda: client.do_get(ticket(dataset="marks", date="2020-01-02"), options).read_all())
refused(Exception, "marks, slices", lambda: client.do_get(ticket(dataset="secrets", date=date), options).read_all())
refused(Exception, "date", lambda: client.do_get(ticket(dataset="marks", date="../../etc"), options).read_all())
refused(Exception, "ticket", lambda: client.do_get(flight.Ticket(b"\x00\x01"), options).read_all())
refused(Exception, "ticket", lambda: client.do_get(flight.Ticket(b"x" * 5000), options).read_all())

print(f"rows {rows}")
