#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR BSD-3-Clause
"""ticker.py SECONDS QPEER WORD...: runs `qpeer client --json WORD...`, and has it ask something each 100 ms for so long.

The first line of the output is "linked", when the first answer has come. The last one is "asked N answered N gap S":
S is the longest time without an answer. All that was asked is waited for, half a minute at most.
"""
import json
import subprocess
import sys
import threading
import time

INTERVAL = 0.1
PATIENCE = 35

duration = float(sys.argv[1])
client = subprocess.Popen(
    [sys.argv[2], "client", "--json", *sys.argv[3:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
)
answers = {}  # What was asked: when it was answered.
gap = [0.0]


def read():
    newest = None
    for line in client.stdout:
        now = time.monotonic()
        event = json.loads(line)
        if event.get("event") != "reply":
            print(line.strip(), flush=True)
            continue
        if newest is None:
            print("linked", flush=True)
        elif event["text"] not in answers:
            gap[0] = max(gap[0], now - newest)
        newest = now
        answers[event["text"]] = now


reader = threading.Thread(target=read, daemon=True)
reader.start()


def ask(number):
    client.stdin.write(f"echo {number}\n")
    client.stdin.flush()


asked = 1
ask(0)
begin = time.monotonic()
while not answers and time.monotonic() < begin + PATIENCE and client.poll() is None:
    time.sleep(0.01)
begin = time.monotonic()
try:
    while time.monotonic() < begin + duration:
        ask(asked)
        asked += 1
        time.sleep(max(0.0, begin + asked * INTERVAL - time.monotonic()))
    client.stdin.close()
except OSError as error:  # It is gone.
    print(error, flush=True)
end = time.monotonic() + PATIENCE
while len(answers) < asked and time.monotonic() < end and reader.is_alive():
    time.sleep(0.05)
if client.poll() is None:
    client.terminate()
reader.join(5)  # It prints, too.
print(f"asked {asked} answered {len(answers)} gap {gap[0]:.2f}", flush=True)
