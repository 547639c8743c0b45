"""Runs a command and prints its exit code after what it writes."""

import subprocess
import sys

code = subprocess.run(sys.argv[1:], check=False).returncode
print(f"exit {code}", flush=True)
