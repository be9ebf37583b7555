"""The equations of the spectral graph model, variant by variant.

Every function takes ``xp``, the array module: NumPy in double precision for exact
values, ``jax.numpy`` for compiled and differentiated ones. The symbols follow the
papers: ``tau_e``, ``tau_i`` and ``tau_g`` are time constants in s, ``omega`` is the
angular frequency in rad/s, ``kappa = omega / speed`` the angular wave number in rad/m.

References
----------
Raj et al. (2020), Hum Brain Mapp 41:2980. Verma et al. (2022), NeuroImage 249:118919.
Jin et al. (2023), NeuroImage 279:120278.
"""

import numpy as np

VARIANTS = ("resolvent", "raj2020", "raj2020_local_alpha", "verma2022", "jin2023")
# The variants whose answer depends on the phase of the eigenvectors.
PHASED = ("raj2020", "raj2020_local_alpha")

# |q_k| is not allowed below this part of max |q| in the published code (`zero_thr`).
_FLOOR = 0.05
# The 2020 model mixes excitatory, inhibitory and coupled responses in these parts.
_MIXTURE = (0.5, 0.25, 0.25)


def gamma_response(omega, tau):
    """Fourier transform of the unit-area gamma function ``t / tau**2 exp(-t / tau)``.

    Parameters
    ----------
    omega : array
        Angular frequency in rad/s.
    tau : array
        Time constant in s.

    Returns
    -------
    response : array of complex
        ``1 / (1 + i omega tau)**2``.
    """
    return 1 / (1 + 1j * omega * tau) ** 2


def local_response(params, omega, variant):
    """Response of a region's excitatory and inhibitory populations.

    Parameters
    ----------
    params : dict of array
        The model's parameters, broadcastable against ``omega``.
    omega : array
        Angular frequencies in rad/s.
    variant : str
        One of ``VARIANTS``.

    Returns
    -------
    response : array of complex
        The transfer function H of white noise to the region's activity.

    Notes
    -----
    The 2020 variants add three separate responses; since 2022 the two populations are
    solved together, with ``X = g_ei F_e F_i``::

        A = i w + g_ii F_i / tau_i      B = i w + F_e / tau_e
        H = (A + B + X (1/tau_e - 1/tau_i)) / (A B + X**2 / (tau_e tau_i))
    """
    # Rates, because NumPy divides a complex array by a real one as slowly as by a
    # complex one.
    rate_e, rate_i = 1 / params["tau_e"], 1 / params["tau_i"]
    g_ei, g_ii = params["g_ei"], params["g_ii"]
    f_e = gamma_response(omega, params["tau_e"])
    f_i = gamma_response(omega, params["tau_i"])
    s = 1j * omega
    if variant in PHASED:
        gain = params["alpha"] if variant == "raj2020_local_alpha" else 1.0
        f_i = g_ii * f_i
        excitatory = (gain * rate_e) / (s + gain * rate_e * f_e)
        inhibitory = (gain * rate_i) / (s + gain * rate_i * f_i)
        loop = g_ei * f_e * f_i
        a, b, c = _MIXTURE
        return a * excitatory + b * inhibitory + c * loop / (1 + loop)
    a = s + g_ii * rate_i * f_i
    b = s + rate_e * f_e
    x = g_ei * f_e * f_i
    numerator = a + b + (rate_e - rate_i) * x
    return numerator / (a * b + rate_e * rate_i * x**2)


def macroscopic_response(params, omega, variant):
    """Terms of the macroscopic equation ``q = a + b lambda``.

    Parameters
    ----------
    params : dict of array
        The model's parameters, broadcastable against ``omega``.
    omega : array
        Angular frequencies in rad/s.
    variant : str
        One of ``VARIANTS``.

    Returns
    -------
    a, b : array of complex
        ``lambda`` are the eigenvalues of the complex Laplacian.
    """
    s, tau_g = 1j * omega, params["tau_g"]
    if variant == "raj2020":
        return s * tau_g, gamma_response(omega, params["tau_e"])
    if variant == "raj2020_local_alpha":
        # (tau/alpha) (i w + alpha F_e lambda / tau)
        return s * tau_g / params["alpha"], gamma_response(omega, params["tau_e"])
    tau = params["tau_e"] if variant == "verma2022" else tau_g
    return s, 1 / tau_g * gamma_response(omega, tau)


def normalized_weights(weights):
    """Weights divided by the geometric mean of the row's and the column's degree.

    Parameters
    ----------
    weights : ndarray, shape (n_nodes, n_nodes)
        Connection strengths.

    Returns
    -------
    normalized : ndarray, shape (n_nodes, n_nodes)
        ``weights[i, j] / sqrt(row_degree[i] * column_degree[i])``, from node j to node
        i; a node that has inputs and no outputs is normalised by its inputs alone. As
        in the published code, the row of a node that is hardly connected (row and
        column degree below a fifth of the mean) is zero: such a node gets no input.
    """
    rows, columns = weights.sum(axis=1), weights.sum(axis=0)
    total = rows + columns
    connected = (total >= 0.2 * total.mean()) & (rows > 0)
    product = rows * np.where(columns > 0, columns, rows)
    degree = np.sqrt(np.where(connected, product, 1.0))
    return np.where(connected, 1 / degree, 0.0)[:, np.newaxis] * weights


def delayed_weights(normalized, lengths, kappa, xp):
    """Normalised weights with the phase of the conduction delay.

    Parameters
    ----------
    normalized, lengths : array, shape (n_nodes, n_nodes)
        Normalised weights, and fibre lengths in m.
    kappa : array, shape (...)
        Angular wave number, omega / speed, in rad/m.
    xp : module
        ``numpy`` or ``jax.numpy``.

    Returns
    -------
    delayed : array of complex, shape (..., n_nodes, n_nodes)
        The matrix B; the complex Laplacian is ``I - alpha B``.
    """
    phase = xp.asarray(kappa)[..., None, None] * lengths
    # Sine and cosine, because NumPy vectorises them and the complex exponential not.
    return normalized * xp.cos(phase) - 1j * (normalized * xp.sin(phase))


def row_norms(matrix, xp):
    """Euclidean norm of the rows of complex matrices, safe to differentiate."""
    return xp.sqrt((matrix.real**2 + matrix.imag**2).sum(-1))


def floored(q, xp):
    """Raise small magnitudes of q, with their phase, as the published code does."""
    size = xp.abs(q)
    floor = _FLOOR * size.max(axis=-1, keepdims=True)
    safe = xp.where(size > 0, size, 1.0)
    return xp.where(size < floor, floor * q / safe, q)


def magnitude(params, omega, normalized, lengths, variant, xp):
    """Magnitude spectrum of every region, by the variant's own recipe.

    Parameters
    ----------
    params : dict of array, shape ()
        The model's parameters.
    omega : array, shape (n_freqs,)
        Angular frequencies in rad/s.
    normalized, lengths : array, shape (n_nodes, n_nodes)
        Normalised weights, and fibre lengths in m.
    variant : str
        One of ``VARIANTS``.
    xp : module
        ``numpy`` or ``jax.numpy``.

    Returns
    -------
    magnitude : array, shape (n_nodes, n_freqs)
        What the region shows for white noise of unit spectrum in every region.
    """
    local = local_response(params, omega, variant)
    a, b = macroscopic_response(params, omega, variant)
    delayed = delayed_weights(normalized, lengths, omega / params["speed"], xp)
    eye = xp.eye(normalized.shape[0])
    laplacian = eye - params["alpha"] * delayed
    a, b = a[:, None, None], b[:, None, None]
    if variant == "resolvent":
        answer = row_norms(xp.linalg.inv(a * eye + b * laplacian), xp)
        return (xp.abs(local)[:, None] * answer).T
    eigenvalues, vectors = xp.linalg.eig(laplacian)
    q = floored(a[..., 0] + b[..., 0] * eigenvalues, xp)
    if variant in PHASED:
        vectors = canonical_phase(vectors, xp)
        weight = kept_modes(eigenvalues, xp) / q
        answer = xp.abs((vectors * weight[:, None, :]).sum(-1))
    else:
        projected = (vectors / q[:, None, :]) @ xp.conj(xp.swapaxes(vectors, -1, -2))
        answer = row_norms(projected, xp)
    return (xp.abs(local)[:, None] * answer).T


def canonical_phase(vectors, xp):
    """Turn eigenvectors so that their largest component is real and positive.

    The 2020 model adds the eigenvectors themselves, whose phase is arbitrary and
    depends on the LAPACK at hand. This is our convention; with another one the model
    gives other spectra.

    Parameters
    ----------
    vectors : array of complex, shape (..., n_nodes, n_modes)
        Eigenvectors of unit length in the columns.
    xp : module
        ``numpy`` or ``jax.numpy``.

    Returns
    -------
    vectors : array of complex, shape (..., n_nodes, n_modes)
        The same eigenvectors, turned.
    """
    size = xp.abs(vectors)
    largest = xp.argmax(size, axis=-2)[..., None, :]
    pivot = xp.take_along_axis(vectors, largest, axis=-2)
    return vectors * (xp.conj(pivot) / xp.abs(pivot))


def kept_modes(eigenvalues, xp):
    """Mark the modes that the 2020 model adds up.

    Parameters
    ----------
    eigenvalues : array of complex, shape (..., n_modes)
        Eigenvalues of the Laplacian.
    xp : module
        ``numpy`` or ``jax.numpy``.

    Returns
    -------
    kept : array of float, shape (..., n_modes)
        1 for the modes number 1 to ``round(2/3 n) - 1`` in the order of ``|lambda|``
        (the published code leaves out the first, number 0), otherwise 0.
    """
    n_kept = round(2 / 3 * eigenvalues.shape[-1])
    order = xp.argsort(xp.abs(eigenvalues), axis=-1)
    rank = xp.argsort(order, axis=-1)
    return ((rank >= 1) & (rank < n_kept)) * 1.0
