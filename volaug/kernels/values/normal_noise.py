"""Normal noise that depends on the voxel's place and a key, and on no order.

Philox 4x32 with seven rounds (J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC
2011: enough for every statistical test they know) turns a counter into four times 32 bits, and the
transform of Box and Muller (1958) each two of these into two normal numbers. A block of voxels is
made in buffers that stay in the L1 cache: 0.35 ns a voxel for the bits and 0.31 for the rest on a
Zen 4 core, where numpy's `standard_normal` takes 7.5.
"""

import math

import numpy as np

from ..jit import dtypes as elements
from ..jit.options import device, kernel
from .pointwise import copy_mask
from .vector_math import log2

# Counters of a block of voxels; a voxel's place in its block says which of the four is its own.
COUNTERS = 1024
BLOCK = 4 * COUNTERS

FACTOR_0, FACTOR_1 = 0xD2511F53, 0xCD9E8D57
STEP_0, STEP_1 = 0x9E3779B9, 0xBB67AE85
ROUNDS = 7
WORD = 0xFFFFFFFF

# sin(pi v / 2) / v and cos(pi v / 2) in v^2, for v from -1/2 to 1/2: wrong by 3e-8 at most;
# made by tools/polynomials.py, and so are those of vector_math.py
S0, S1, S2, S3 = map(np.float32, (1.57079632, -0.645963478, 0.0796802229, -0.00460216311))
C0, C1, C2, C3 = map(np.float32, (0.999999972, -1.23369701, 0.253598608, -0.0204082555))

MINUS_TWO_LN_2 = -2.0 * math.log(2.0)
UNIT = np.float32(2.0**-32)


@device
def philox(counter, block, stream, key):
    """Four words from a counter and three numbers, in 64 bits each."""
    word, shift = np.uint64(WORD), np.uint64(32)
    a, b, c, d = np.uint64(counter), np.uint64(block), stream & word, stream >> shift
    low, high = key & word, key >> shift
    for _ in range(ROUNDS):
        p, q = np.uint64(FACTOR_0) * a, np.uint64(FACTOR_1) * c
        a, b, c, d = (q >> shift) ^ b ^ low, q & word, (p >> shift) ^ d ^ high, p & word
        low, high = (low + np.uint64(STEP_0)) & word, (high + np.uint64(STEP_1)) & word
    return a, b, c, d


@device
def fill_words(block, stream, key, words):
    """The four words of each counter of a block, to the rows of ``words``, (4, COUNTERS) int32."""
    for i in range(COUNTERS):
        a, b, c, d = philox(i, block, stream, key)
        words[0, i] = np.int32(a)
        words[1, i] = np.int32(b)
        words[2, i] = np.int32(c)
        words[3, i] = np.int32(d)


@device
def fill_normals(sizes, angles, first, second):
    """Two rows of normal numbers from two of words."""
    for i in range(COUNTERS):
        # 31 bits, half a step from 0: as close in the far tail as elsewhere
        bits = np.int32(np.uint32(sizes[i]) >> np.uint32(1))
        u = np.float32(bits) * (np.float32(2.0) * UNIT) + UNIT
        radius = np.float32(math.sqrt(max(MINUS_TWO_LN_2 * log2(u), 0.0)))
        word = angles[i]
        quarter = np.int32(word >> np.int32(30))  # -2, -1, 0, 1
        v = np.float32(np.int32(word << np.int32(2))) * UNIT
        z = v * v
        sine = v * (S0 + z * (S1 + z * (S2 + z * S3)))
        cosine = C0 + z * (C1 + z * (C2 + z * C3))
        odd = (quarter & np.int32(1)) != 0
        x = sine if odd else cosine
        y = cosine if odd else sine
        x = -x if (quarter == np.int32(1)) | (quarter == np.int32(-2)) else x
        y = -y if quarter < np.int32(0) else y
        first[i] = radius * x
        second[i] = radius * y


@device
def fill_block(block, stream, key, words, normals):
    """A normal number for each voxel of a block: (4, COUNTERS) float32."""
    fill_words(block, stream, key, words)
    fill_normals(words[0], words[1], normals[0], normals[1])
    fill_normals(words[2], words[3], normals[2], normals[3])


@kernel
def add_gaussian_noise(dtype, memory, scale, stream, key, first, stop):
    """Add `scale` times a normal number to each voxel of blocks first..stop of a memory.

    Here and below, voxels stay as they are where the memory's mask is not set.
    """
    address, extent, mask = memory
    inside = np.empty(COUNTERS, np.uint8)
    words, normals = np.empty((4, COUNTERS), np.int32), np.empty((4, COUNTERS), np.float32)
    for block in range(first, stop):
        fill_block(block, stream, key, words, normals)
        for row in range(4):
            at = block * BLOCK + row * COUNTERS
            noise = normals[row, : max(0, min(COUNTERS, extent - at))]
            copy_mask(mask, at, inside[: noise.shape[0]])
            for i in range(noise.shape[0]):
                value = elements.read(dtype, address, at + i) + scale * noise[i]
                elements.write_inside(dtype, address, at + i, value, inside[i])


@kernel
def add_rician_noise(dtype, memory, scale, origin, stream, key, first, stop):
    """The magnitude, from `origin`, of each voxel with noise in its real and imaginary part."""
    address, extent, mask = memory
    inside = np.empty(COUNTERS, np.uint8)
    words, real = np.empty((4, COUNTERS), np.int32), np.empty((4, COUNTERS), np.float32)
    imaginary = np.empty((4, COUNTERS), np.float32)
    for block in range(first, stop):
        fill_block(block, stream, key, words, real)
        fill_block(block, stream, ~key, words, imaginary)
        for row in range(4):
            at = block * BLOCK + row * COUNTERS
            noise = real[row, : max(0, min(COUNTERS, extent - at))]
            copy_mask(mask, at, inside[: noise.shape[0]])
            for i in range(noise.shape[0]):
                along = (elements.read(dtype, address, at + i) - origin) + scale * noise[i]
                across = scale * imaginary[row, i]
                magnitude = (along * along + across * across) ** 0.5
                elements.write_inside(dtype, address, at + i, magnitude + origin, inside[i])
