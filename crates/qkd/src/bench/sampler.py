"""A decoy-state BB84 link, vectorised: pulses per second on one core, as people write it in numpy."""

import time

import numpy

PULSES = 1_000_000
SECONDS = 2.0
INTENSITIES = numpy.array([0.33, 0.115])
SIGNAL_PROBABILITY = 0.45
KEY_BASIS_PROBABILITY = 0.8
TRANSMITTANCE = 0.1 * 0.8
MISALIGNMENT = 0.01
DARK_COUNT_PROBABILITY = 1e-8

rng = numpy.random.default_rng(1)


def block(count):
    """One block of pulses from Alice's choices to sifted bits; returns sifted bits and errors."""
    intensity = (rng.random(count) >= SIGNAL_PROBABILITY).astype(numpy.uint8)
    alice_basis = rng.random(count) >= KEY_BASIS_PROBABILITY
    alice_bit = rng.integers(0, 2, count, dtype=numpy.uint8)
    photons = rng.poisson(INTENSITIES[intensity])
    arrived = rng.binomial(photons, TRANSMITTANCE)
    bob_basis = rng.random(count) >= KEY_BASIS_PROBABILITY
    wrong = numpy.where(alice_basis == bob_basis, MISALIGNMENT, 0.5)
    ones = rng.binomial(arrived, numpy.where(alice_bit == 1, 1.0 - wrong, wrong))
    click_1 = (ones > 0) | (rng.random(count) < DARK_COUNT_PROBABILITY)
    click_0 = (arrived - ones > 0) | (rng.random(count) < DARK_COUNT_PROBABILITY)
    bob_bit = numpy.where(click_0 & click_1, rng.integers(0, 2, count), click_1)
    sifted = (click_0 | click_1) & (alice_basis == bob_basis)
    return int(sifted.sum()), int((bob_bit[sifted] != alice_bit[sifted]).sum())


block(PULSES)
began = time.perf_counter()
pulses = 0
while time.perf_counter() - began < SECONDS:
    block(PULSES)
    pulses += PULSES
print(pulses / (time.perf_counter() - began))
