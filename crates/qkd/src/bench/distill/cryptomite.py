"""Runs the Toeplitz extractor of cryptomite on what standard input says, and times it.

A line is `input_bits output_bits input seed`, the last two in hexadecimal, bit i in byte i // 8, the
lowest bit first. The answer is one line of JSON. Lists of bits are what the extractor takes and gives:
making them is not timed.
"""

import importlib.metadata
import json
import platform
import sys
import time

from cryptomite import Toeplitz


def bits(text, count):
    """The first `count` bits of hexadecimal bytes."""
    number = int.from_bytes(bytes.fromhex(text), "little")
    return list(map(int, reversed(f"{number:0{count}b}")))[:count]


def text(bits):
    """Bits as hexadecimal bytes."""
    number = int("".join(map(str, reversed(bits))), 2)
    return number.to_bytes((len(bits) + 7) // 8, "little").hex()


def say(answer):
    print(json.dumps(answer), flush=True)


say({"version": importlib.metadata.version("cryptomite"), "python": platform.python_version()})
for line in sys.stdin:
    input_bits, output_bits, key, seed = line.split()
    input_bits, output_bits = int(input_bits), int(output_bits)
    key = bits(key, input_bits)
    seed = bits(seed, input_bits + output_bits - 1)
    extractor = Toeplitz(input_bits, output_bits)
    extractor.extract(key, seed)  # once untimed, as ours: buffers and code are warm then
    began = time.process_time()
    output = extractor.extract(key, seed)
    seconds = time.process_time() - began
    say({"seconds": seconds, "output": text(output)})
