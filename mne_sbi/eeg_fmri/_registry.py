"""Architectures by name; importing this imports no network library."""

# Where each class is; those of networks import Keras.
ARCHITECTURES = {
    "residual": ("_residual", "Residual"),
    "hrf_ridge": ("_ridge", "HRFRidge"),
    "calhas": ("_calhas", "Calhas"),
    "bricman_dense": ("_bricman", "BricmanDense"),
    "bricman_conv": ("_bricman", "BricmanConv"),
    "bricman_transformer": ("_bricman", "BricmanTransformer"),
}


def make_architecture(name):
    """Make an architecture with its default settings.

    Parameters
    ----------
    name : str
        A key of ``ARCHITECTURES``.

    Returns
    -------
    architecture : Architecture
        Not fitted.
    """
    from importlib import import_module

    module, class_name = ARCHITECTURES[name]
    return getattr(import_module(f".{module}", __package__), class_name)()
