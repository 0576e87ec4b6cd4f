"""Runs a command and says, as one line of JSON, what it took: wall and processor seconds, largest resident memory."""

import json
import os
import subprocess
import sys
import time

output, command = sys.argv[1], sys.argv[2:]
start = time.perf_counter()
with open(output, "wb") as file:
    process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
    _, status, usage = os.wait4(process.pid, 0)
seconds = time.perf_counter() - start
print(
    json.dumps(
        {
            "code": os.waitstatus_to_exitcode(status),
            "seconds": seconds,
            "processor_seconds": usage.ru_utime + usage.ru_stime,
            "peak_mib": usage.ru_maxrss / 1024,
        }
    )
)
