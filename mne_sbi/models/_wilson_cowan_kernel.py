"""The Wilson-Cowan network, step after step, compiled by Numba.

Activity travels between nodes with delays, so that what arrives during the next steps
is known before they are made, as long as these are fewer than the delay. The coupling
is therefore summed for a block of steps at once: for each connection, a stretch of the
source's past, which lies in one piece in memory, is added to a stretch of the target's
input. Connections with shorter delays are added step by step.

Simulations that share a conduction speed run side by side: the past of a node is an
array (time, lanes), so that the stretch of a block is in one piece for any number of
lanes. The rest of the state is kept in tiles of 16 (nodes times lanes, in this order):
a tile holds one piece of 16 numbers for each variable and parameter, at constant
distances, by which compilers see that the loops over a tile are vector instructions.

:func:`mne_sbi.models._wilson_cowan_run.integrate` does the same with JAX, with the same
random numbers.
"""

import numba
import numpy as np

from ._jansen_rit_kernel import EXP2
from ._random_lanes import COS, LOG2, MANTISSA, MINUS_TWO_LN_2, ONE, SIN
from ._wilson_cowan_equations import ROWS

#: Numbers in a piece of a tile: the single-precision numbers in 512 bits.
TILE = 16
_N_ROWS = len(ROWS)
# Adding and subtracting it rounds a small number to a whole one, which then stands in
# the lowest bits.
_MAGIC = np.float32(1.5 * 2**23)
_OPTIONS = {"nogil": True, "cache": True, "error_model": "numpy"}
# Products and sums in one rounding; nothing else that changes results.
_OPTIONS |= {"fastmath": {"contract", "nsz"}}
# Where numbers of lanes and steps come in as arguments that are constants: only inside
# of the function that gives them do loops over them become vector instructions.
_INLINED = _OPTIONS | {"forceinline": True}

_f4, _u4, _i4 = np.float32, np.uint32, np.int32
# Numba takes tuples of constants as they are, but the loops over them must be unrolled.
_L0, _L1, _L2, _L3, _L4, _L5 = (np.float32(c) for c in LOG2)
_S0, _S1, _S2, _S3 = (np.float32(c) for c in SIN)
_C0, _C1, _C2, _C3, _C4 = (np.float32(c) for c in COS)
_E0, _E1, _E2, _E3, _E4, _E5 = (np.float32(c) for c in EXP2)
_MASK, _UNIT = np.int32(MANTISSA), np.int32(ONE)
_HALF, _LEAST = np.float32(2**-31), np.float32(2**-32)
_ROW = {name: number * TILE for number, name in enumerate(ROWS)}
(_E, _I, _X, _Y, _DE, _DI) = (_ROW[name] for name in ROWS[:6])
(_EE, _IE, _DRIVE_E, _INPUT, _NOISE_E, _OFFSET_E, _STEP_E, _REFRACTORY_E) = (
    _ROW[name] for name in ROWS[6:14]
)
(_EI, _II, _DRIVE_I, _NOISE_I, _OFFSET_I, _STEP_I, _REFRACTORY_I, _DECAY) = (
    _ROW[name] for name in ROWS[14:22]
)
_WIDTH = np.uint64(_N_ROWS * TILE)
_WORDS = np.uint64(4 * TILE)


@numba.njit(inline="always")
def _normals(first, second):
    """Turn random bits into two normal deviates, as `_random_lanes.to_normal_pair`."""
    uniform = _f4(_f4(_i4(_u4(first >> _u4(1)))) * _HALF + _LEAST)
    bits = _f4(uniform).view(np.int32)
    exponent = _f4(_i4(_i4(bits >> _i4(23)) - _i4(127)))
    t = _i4(_i4(bits & _MASK) | _UNIT).view(np.float32) - _f4(1)
    log2 = ((((_L5 * t + _L4) * t + _L3) * t + _L2) * t + _L1) * t + _L0
    square = max(_f4((exponent + log2 * t) * MINUS_TWO_LN_2), _f4(0))
    radius = _f4(np.sqrt(square))
    radius = _u4(_f4(radius).view(np.uint32) | _u4(first << _u4(31))).view(np.float32)
    angle = _f4(_i4(second)) * _LEAST
    square = angle * angle
    sine = ((_S3 * square + _S2) * square + _S1) * square + _S0
    cosine = (((_C4 * square + _C3) * square + _C2) * square + _C1) * square + _C0
    return radius * (sine * angle), radius * cosine


@numba.njit(inline="always")
def _logistic(x):
    """1 / (1 + 2**-x), as `_wilson_cowan_run`."""
    x = min(max(-x, _f4(-126)), _f4(126))
    shifted = _f4(x + _MAGIC)
    part = x - (shifted - _MAGIC)
    power = ((((_E5 * part + _E4) * part + _E3) * part + _E2) * part + _E1) * part + _E0
    whole = _i4(_f4(shifted).view(np.int32) << _i4(23))
    power = _i4(_f4(power).view(np.int32) + whole).view(np.float32)
    return _f4(1) / (_f4(1) + power)


@numba.njit(**_OPTIONS)
def _step(state, words, arriving, start, n_tiles):
    """Make a step: the noise's, and one of Adams and Bashforth of the activity."""
    for tile in range(n_tiles):
        s, r = np.uint64(tile) * _WIDTH, np.uint64(tile) * _WORDS
        u = start + np.uint64(tile * TILE)
        for lane in range(TILE):
            v = np.uint64(lane)
            x, y = words[r + v], words[r + np.uint64(TILE) + v]
            z, w = (
                words[r + np.uint64(2 * TILE) + v],
                words[r + np.uint64(3 * TILE) + v],
            )
            x = _u4(x ^ _u4(x << _u4(11)))
            first = _u4(_u4(w ^ _u4(w >> _u4(19))) ^ _u4(x ^ _u4(x >> _u4(8))))
            y = _u4(y ^ _u4(y << _u4(11)))
            second = _u4(_u4(first ^ _u4(first >> _u4(19))) ^ _u4(y ^ _u4(y >> _u4(8))))
            words[r + v], words[r + np.uint64(TILE) + v] = z, w
            words[r + np.uint64(2 * TILE) + v] = first
            words[r + np.uint64(3 * TILE) + v] = second
            normal_e, normal_i = _normals(first, second)
            p = s + v
            e, i = state[p + np.uint64(_E)], state[p + np.uint64(_I)]
            x_e, x_i = state[p + np.uint64(_X)], state[p + np.uint64(_Y)]
            to_e = state[p + np.uint64(_EE)] * e - state[p + np.uint64(_IE)] * i
            to_e += state[p + np.uint64(_DRIVE_E)] + x_e
            to_e += state[p + np.uint64(_INPUT)] * arriving[u + v]
            to_i = state[p + np.uint64(_EI)] * e - state[p + np.uint64(_II)] * i
            to_i += state[p + np.uint64(_DRIVE_I)] + x_i
            rate_e = _logistic(to_e) - state[p + np.uint64(_OFFSET_E)]
            rate_i = _logistic(to_i) - state[p + np.uint64(_OFFSET_I)]
            free_e = _f4(1) - state[p + np.uint64(_REFRACTORY_E)] * e
            free_i = _f4(1) - state[p + np.uint64(_REFRACTORY_I)] * i
            change_e = state[p + np.uint64(_STEP_E)] * (free_e * rate_e - e)
            change_i = state[p + np.uint64(_STEP_I)] * (free_i * rate_i - i)
            before_e, before_i = state[p + np.uint64(_DE)], state[p + np.uint64(_DI)]
            state[p + np.uint64(_E)] = e + (_f4(1.5) * change_e - _f4(0.5) * before_e)
            state[p + np.uint64(_I)] = i + (_f4(1.5) * change_i - _f4(0.5) * before_i)
            state[p + np.uint64(_DE)], state[p + np.uint64(_DI)] = change_e, change_i
            decay = state[p + np.uint64(_DECAY)]
            noise_e = state[p + np.uint64(_NOISE_E)] * normal_e
            noise_i = state[p + np.uint64(_NOISE_I)] * normal_i
            state[p + np.uint64(_X)] = decay * x_e + noise_e
            state[p + np.uint64(_Y)] = decay * x_i + noise_i


@numba.njit(**_INLINED)
def _sum_block(past, table, place, piece, arriving, n_wide, n_lanes, n_block):
    """Sum what arrives during a block over long delays.

    Four connections at a time, with two weights each, so that the sums stay in
    registers; lists are filled up with weights of zero.
    """
    first, offsets, weights = table
    shift = np.uint64(n_lanes)
    for node in range(len(first) - 1):
        for number in range(n_lanes * n_block):
            piece[number] = _f4(0)
        for c in range(first[node], first[node + 1], 4):
            a, b = np.uint64(offsets[c] + place), np.uint64(offsets[c + 1] + place)
            d, e = np.uint64(offsets[c + 2] + place), np.uint64(offsets[c + 3] + place)
            a0, a1 = weights[c, 0], weights[c, 1]
            b0, b1 = weights[c + 1, 0], weights[c + 1, 1]
            d0, d1 = weights[c + 2, 0], weights[c + 2, 1]
            e0, e1 = weights[c + 3, 0], weights[c + 3, 1]
            for number in range(n_lanes * n_block):
                v = np.uint64(number)
                piece[v] += (
                    (a0 * past[a + v] + a1 * past[a + v + shift])
                    + (b0 * past[b + v] + b1 * past[b + v + shift])
                    + (d0 * past[d + v] + d1 * past[d + v + shift])
                    + (e0 * past[e + v] + e1 * past[e + v + shift])
                )
        for later in range(n_block):
            for lane in range(n_lanes):
                here = later * n_wide + node * n_lanes + lane
                arriving[here] = piece[later * n_lanes + lane]


@numba.njit(**_INLINED)
def _add_short(past, table, place, arriving, start, n_lanes):
    """Add what arrives at one step over short delays."""
    first, offsets, weights = table
    shift = np.uint64(n_lanes)
    for node in range(len(first) - 1):
        here = np.uint64(start + node * n_lanes)
        for c in range(first[node], first[node + 1]):
            a = np.uint64(offsets[c] + place)
            older, newer = weights[c, 0], weights[c, 1]
            for lane in range(n_lanes):
                v = np.uint64(lane)
                arriving[here + v] += older * past[a + v] + newer * past[a + v + shift]


@numba.njit(**_INLINED)
def _remember(state, past, place, n_nodes, n_room, n_lanes):
    """Write the present activity to the past."""
    for node in range(n_nodes):
        for lane in range(n_lanes):
            number = node * n_lanes + lane
            value = state[(number // TILE) * _N_ROWS * TILE + number % TILE]
            past[(node * n_room + place) * n_lanes + lane] = value


@numba.njit(**_INLINED)
def _filter(past, place, taps, piece, out, n_nodes, n_room, n_lanes):
    """Sum the weighted past, which ends at the present: a sample of the output.

    With a single lane, the sums of every 16th value stand side by side instead.
    """
    n_wide = TILE if n_lanes == 1 else n_lanes
    n_taps = len(taps)
    for node in range(n_nodes):
        start = np.uint64((node * n_room + place - n_taps + 1) * n_lanes)
        for lane in range(n_wide):
            piece[lane] = _f4(0)
        if n_lanes == 1:
            for tap in range(0, n_taps, TILE):
                for lane in range(n_wide):
                    v = np.uint64(tap + lane)
                    piece[lane] += taps[v] * past[start + v]
            for lane in range(1, n_wide):
                piece[0] += piece[lane]
        else:
            for tap in range(0, n_taps, 8):
                a = start + np.uint64(tap * n_lanes)
                w0, w1, w2, w3 = taps[tap], taps[tap + 1], taps[tap + 2], taps[tap + 3]
                w4, w5, w6 = taps[tap + 4], taps[tap + 5], taps[tap + 6]
                w7 = taps[tap + 7]
                for lane in range(n_wide):
                    v = a + np.uint64(lane)
                    piece[lane] += (
                        w0 * past[v]
                        + w1 * past[v + np.uint64(n_lanes)]
                        + w2 * past[v + np.uint64(2 * n_lanes)]
                        + w3 * past[v + np.uint64(3 * n_lanes)]
                    ) + (
                        w4 * past[v + np.uint64(4 * n_lanes)]
                        + w5 * past[v + np.uint64(5 * n_lanes)]
                        + w6 * past[v + np.uint64(6 * n_lanes)]
                        + w7 * past[v + np.uint64(7 * n_lanes)]
                    )
        for lane in range(n_lanes):
            out[node, lane] = piece[lane]


@numba.njit(**_OPTIONS)
def _move_back(past, start, n_kept, n_nodes, n_room):
    """Move the past that is still needed to the beginning of its room."""
    for node in range(n_nodes):
        target = np.uint64(node * n_room)
        source = np.uint64(node * n_room + start)
        for number in range(n_kept):
            past[target + np.uint64(number)] = past[source + np.uint64(number)]


@numba.njit(**_INLINED)
def _run(state, words, past, long, short, taps, plan, out, n_lanes, n_block):
    """Simulate all samples of the output, block after block."""
    n_nodes, n_room, n_kept, n_steps, n_burn = plan
    n_tiles = len(words) // (4 * TILE)
    n_wide = n_tiles * TILE
    arriving = np.zeros(n_block * n_wide, np.float32)
    piece = np.zeros(max(n_lanes * n_block, TILE), np.float32)
    place, done, sample = n_kept - 1, 0, 0
    while sample < len(out):
        if place + n_block >= n_room:
            start = (place - n_kept + 1) * n_lanes
            _move_back(past, start, n_kept * n_lanes, n_nodes, n_room * n_lanes)
            place = n_kept - 1
        here = place * n_lanes
        _sum_block(past, long, here, piece, arriving, n_wide, n_lanes, n_block)
        for later in range(n_block):
            start = later * n_wide
            _add_short(past, short, place * n_lanes, arriving, start, n_lanes)
            due = done - n_burn
            if due >= 0 and due % n_steps == 0 and sample < len(out):
                _filter(past, place, taps, piece, out[sample], n_nodes, n_room, n_lanes)
                sample += 1
            _step(state, words, arriving, np.uint64(start), n_tiles)
            place += 1
            done += 1
            _remember(state, past, place, n_nodes, n_room, n_lanes)


@numba.njit(**_OPTIONS)
def _run_16_4(state, words, past, long, short, taps, plan, out):
    _run(state, words, past, long, short, taps, plan, out, 16, 4)


@numba.njit(**_OPTIONS)
def _run_1_8(state, words, past, long, short, taps, plan, out):
    _run(state, words, past, long, short, taps, plan, out, 1, 8)


@numba.njit(**_OPTIONS)
def _run_1_32(state, words, past, long, short, taps, plan, out):
    _run(state, words, past, long, short, taps, plan, out, 1, 32)


#: The kernels, by lanes and steps in a block.
KERNELS = {(16, 4): _run_16_4, (1, 8): _run_1_8, (1, 32): _run_1_32}
