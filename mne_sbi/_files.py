"""The package's files: a description and named arrays, every part of them hashed.

A file whose name ends in ``.h5`` is HDF5, any other a zip archive that NumPy opens.
Arrays lie in both as they are in memory, without compression: a file cannot claim more
than its own size, and the bytes of an array are read by this module alone, after it
compared where they should be with the size of the file.
"""

import contextlib
import hashlib
import io
import json
import math
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

from ._checks import write_atomically

# Bytes copied and hashed at once.
_BLOCK = 2**24
_CONTENT = "content"
# Plain numbers and text; objects would be pickles.
_KINDS = "biufcSU"


class OtherFormatError(ValueError):
    """A whole file of the package, but of another kind or version."""


class NotEnoughMemoryError(MemoryError):
    """A whole file whose arrays do not fit into memory."""


def encode_json(content, indent=None):
    """Write a dict as JSON with a hash of itself, str."""
    return json.dumps({"sha256": _hash_json(content)} | content, indent=indent)


def decode_json(text):
    """Read what :func:`encode_json` wrote; anything else raises an error."""
    content = json.loads(text)
    if content.pop("sha256") != _hash_json(content):
        raise ValueError("The hash does not match.")
    return content


def _hash_json(content):
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@contextlib.contextmanager
def damage_named(fname, kind, writer):
    """Replace any error that a file's content causes by one with a remedy.

    Parameters
    ----------
    fname : path-like
        The file or folder.
    kind : str
        What it should hold, with its article.
    writer : str
        What writes such files.
    """
    if not Path(fname).exists():
        raise FileNotFoundError(f"There is no file {fname}.")
    try:
        yield
    except OtherFormatError as exc:
        raise ValueError(*exc.args) from None
    except (NotEnoughMemoryError, PermissionError):
        raise
    # Damaged bytes can make any step fail, in any way.
    except Exception as exc:
        raise ValueError(
            f"{fname} is damaged or not {kind} of this version of mne_sbi. Replace it "
            f"by a copy that is whole, or make it again: {writer} writes such files."
        ) from exc


def check_format(fname, found, version):
    """Compare a file's format, such as "mne_sbi posterior 2", with the expected one."""
    if found == version:
        return
    kind, _, number = version.rpartition(" ")
    its_kind, _, its_number = str(found).rpartition(" ")
    if its_kind == kind and its_number.isdecimal() and int(its_number) > int(number):
        raise OtherFormatError(
            f"{fname} was written by a newer version of mne_sbi (format {its_number}, "
            f"this version reads {number}). Type: pip install --upgrade mne-sbi"
        )
    raise OtherFormatError(
        f"{fname} is not of the format that this version reads: expected {version!r}, "
        f"found {found!r}."
    )


def save_file(fname, content, arrays, *, version, overwrite=False, by_rows=()):
    """Write a description and arrays, completely or not at all.

    Parameters
    ----------
    fname : path-like
        The file.
    content : dict
        What JSON can hold.
    arrays : dict of (ndarray | LazyRows)
        Arrays of numbers or text.
    version : str
        Kind and version of the file, ending in a space and a number.
    overwrite : bool
        Replace an existing file.
    by_rows : sequence of str
        Arrays of which :class:`StoredFile` can read single rows.
    """
    with write_atomically(fname, overwrite) as temporary:
        container = _HDF5Writer if _is_hdf5(fname) else _ZipWriter
        with open(temporary, "rb+") as file, container(file) as out:
            declared = {
                name: _write(out, name, array, name in by_rows)
                for name, array in arrays.items()
            }
            about = {"format": version, "content": content, "arrays": declared}
            out.write_content(encode_json(about).encode())


def _is_hdf5(fname):
    return Path(fname).suffix == ".h5"


def _write(out, name, array, by_rows):
    """Write an array in blocks, and return its description."""
    dtype = np.dtype(array.dtype)
    if dtype.kind not in _KINDS:
        raise TypeError(f"{name} must hold numbers or text, got {dtype}.")
    about = {"dtype": dtype.str, "shape": list(array.shape)}
    whole, rows = hashlib.sha256(), []
    n_rows = max(1, _BLOCK // max(1, _n_bytes(dtype, array.shape[1:])))
    with out.open_array(name, dtype, array.shape) as write:
        for start in range(0, len(array), n_rows) if array.shape else [None]:
            part = array if start is None else array[start : start + n_rows]
            part = np.ascontiguousarray(part)
            write(start, part)
            if by_rows:
                rows += _checksums(part)
            else:
                whole.update(_bytes_of(part))
    return about | ({"crc32": rows} if by_rows else {"sha256": whole.hexdigest()})


def _bytes_of(array):
    """Return the bytes of a contiguous array without copying them."""
    return memoryview(array.reshape(-1).view(np.uint8))


def _checksums(array):
    """Return the checksum of each row, a list of int."""
    content, step = _bytes_of(array), _n_bytes(array.dtype, array.shape[1:])
    return [zlib.crc32(content[i * step : (i + 1) * step]) for i in range(len(array))]


def _n_bytes(dtype, shape):
    return math.prod(int(n) for n in shape) * np.dtype(dtype).itemsize


class _ZipWriter:
    """Writes a zip archive of .npy files, uncompressed."""

    def __init__(self, file):
        file.truncate()
        self._archive = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self._archive.close()

    @contextlib.contextmanager
    def open_array(self, name, dtype, shape):
        header = {
            "descr": np.lib.format.dtype_to_descr(dtype),
            "fortran_order": False,
            "shape": tuple(shape),
        }
        with self._archive.open(f"{name}.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array_header_1_0(file, header)
            yield lambda start, part: file.write(_bytes_of(part))

    def write_content(self, text):
        self._archive.writestr(f"{_CONTENT}.json", text)


class _HDF5Writer:
    """Writes an HDF5 file of plain datasets."""

    def __init__(self, file):
        self._file = _NoErrors(file)

    def __enter__(self):
        import h5py

        self._hdf5 = h5py.File(self._file, "w")
        return self

    def __exit__(self, *exc_info):
        self._hdf5.close()
        if self._file.error is not None:
            raise self._file.error

    @contextlib.contextmanager
    def open_array(self, name, dtype, shape):
        stored = self._hdf5.create_dataset(name, tuple(shape), dtype)

        def write(start, part):
            self._file.check()
            stored[() if start is None else slice(start, start + len(part))] = part

        yield write

    def write_content(self, text):
        self._hdf5[_CONTENT] = np.frombuffer(text, np.uint8)


class _NoErrors(io.RawIOBase):
    """A file that stores its first write error instead of raising it.

    HDF5 cannot close a file that it cannot write, on a full disk for example, and the
    process would end with a segmentation fault.
    """

    def __init__(self, file):
        self._file, self.error = file, None

    def check(self):
        if self.error is not None:
            raise self.error

    def _try(self, method, *args):
        try:
            return method(*args)
        except OSError as exc:
            self.error = self.error or exc
            return None

    def readinto(self, buffer):
        return self._file.readinto(buffer)

    def seek(self, *args):
        return self._file.seek(*args)

    def tell(self):
        return self._file.tell()

    def write(self, data):
        self._try(self._file.write, data)
        return len(data)

    def truncate(self, size=None):
        self._try(self._file.truncate, size)
        return size

    def flush(self):
        self._try(self._file.flush)


class StoredFile:
    """A file that :func:`save_file` wrote, open for reading; a context manager.

    Parameters
    ----------
    fname : path-like
        The file.
    version : str
        The expected kind and version.

    Attributes
    ----------
    content : dict
        The description.
    arrays : dict of dict
        Type, shape and hashes of each array.

    Raises
    ------
    OtherFormatError
        If the file is whole and of another format.
    Exception
        Of any kind, if the file is damaged; see :func:`damage_named`.
    """

    def __init__(self, fname, version):
        self._file = open(fname, "rb")  # noqa: SIM115
        try:
            self.n_bytes = self._file.seek(0, io.SEEK_END)
            self._places = (_find_in_hdf5 if _is_hdf5(fname) else _find_in_zip)(
                self._file
            )
            text = self._read_bytes(*self._places[_CONTENT])
            about = decode_json(text.decode())
            check_format(fname, about["format"], version)
            self.content, self.arrays = about["content"], about["arrays"]
        except BaseException:
            self._file.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self._file.close()

    def read(self, name):
        """Read an array, and compare its hash."""
        about = self.arrays[name]
        dtype, shape, start = self._locate(name)
        try:
            array = np.empty(shape, dtype)
        except MemoryError as exc:
            raise NotEnoughMemoryError(
                f"There is no memory for the {_n_bytes(dtype, shape) / 1e9:.1f} GB of "
                f"{name} in {self._file.name}."
            ) from exc
        self._read_into(array, start)
        if "crc32" in about:
            self._compare_rows(array, about["crc32"])
        elif hashlib.sha256(_bytes_of(array)).hexdigest() != about["sha256"]:
            raise ValueError(f"The hash of {name} does not match.")
        return array

    def read_rows(self, name, rows):
        """Read rows of an array saved ``by_rows``, and compare their checksums."""
        dtype, shape, start = self._locate(name)
        array = np.empty((len(rows), *shape[1:]), dtype)
        step = _n_bytes(dtype, shape[1:])
        for row, part in zip(rows, array, strict=True):
            self._read_into(part, start + int(row) * step)
        expected = self.arrays[name]["crc32"]
        self._compare_rows(array, [expected[row] for row in rows])
        return array

    def _compare_rows(self, array, expected):
        if _checksums(array) != expected:
            raise ValueError("The checksum of a row does not match.")

    def _locate(self, name):
        """Return type, shape and place of an array that can be in the file."""
        about, place = self.arrays[name], self._places[name]
        dtype, shape = np.dtype(about["dtype"]), tuple(about["shape"])
        if dtype.kind not in _KINDS or any(type(n) is not int or n < 0 for n in shape):
            raise ValueError(f"{name} is no plain array.")
        if "crc32" in about and len(about["crc32"]) != shape[0]:
            raise ValueError(f"{name} has other rows than checksums.")
        return dtype, shape, self._check_place(*place, _n_bytes(dtype, shape))

    def _check_place(self, end, n_stored, n_bytes):
        """Return where the last bytes of a stored part start, in the file."""
        start = end - n_bytes
        if n_bytes and not (0 <= start and n_bytes <= n_stored and end <= self.n_bytes):
            raise ValueError("An array is larger than its file.")
        return start

    def _read_bytes(self, end, n_stored):
        content = np.empty(n_stored if n_stored <= self.n_bytes else 0, np.uint8)
        self._read_into(content, self._check_place(end, n_stored, n_stored))
        return content.tobytes()

    def _read_into(self, array, start):
        self._file.seek(start if array.nbytes else 0)
        if self._file.readinto(_bytes_of(array)) != array.nbytes:
            raise ValueError("The file is too short.")


def _find_in_zip(file):
    """Return where the members of an archive end, and how long they are."""
    places = {}
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if member.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{member.filename} is compressed.")
            file.seek(member.header_offset + 26)
            n_name, n_extra = struct.unpack("<HH", file.read(4))
            start = member.header_offset + 30 + n_name + n_extra
            name = member.filename.rpartition(".")[0]
            places[name] = (start + member.file_size, member.file_size)
    return places


def _find_in_hdf5(file):
    """Return where the datasets of an HDF5 file end, and how long they are."""
    import h5py

    places = {}
    with h5py.File(file, "r") as hdf5:
        for name in hdf5:
            stored = get_own(hdf5, name).id
            start, n_bytes = stored.get_offset(), stored.get_storage_size()
            if start is None and n_bytes:
                raise ValueError(f"{name} is not in one piece.")
            places[name] = ((start or 0) + n_bytes, n_bytes)
    return places


def get_own(group, name):
    """Return a group or dataset of an HDF5 file whose bytes are in the file itself.

    Parameters
    ----------
    group : h5py.Group
        The file, or a group in it.
    name : str
        A name directly in the group.

    Returns
    -------
    found : h5py.Group | h5py.Dataset
        What has this name.

    Raises
    ------
    ValueError
        If it is a link, or its values are those of other files.
    """
    import h5py

    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name} is a link.")
    found = group[name]
    if isinstance(found, h5py.Dataset) and (found.is_virtual or found.external):
        raise ValueError(f"{name} is in other files.")
    return found


def read_file(fname, version):
    """Read everything in a file; errors as of :class:`StoredFile`.

    Returns
    -------
    content : dict
        The description.
    arrays : dict of ndarray
        The arrays.
    """
    with StoredFile(fname, version) as stored:
        # Parts that overlap would be more than the file has.
        sizes = [_n_bytes(a["dtype"], a["shape"]) for a in stored.arrays.values()]
        if sum(sizes) > stored.n_bytes:
            raise ValueError("The arrays are larger than their file.")
        return stored.content, {name: stored.read(name) for name in stored.arrays}


def save_npz(fname, content, *, version, overwrite=False):
    """Save what ``to_dict`` gives, text and arrays, to a file that ends in .npz."""
    if Path(fname).suffix != ".npz":
        raise ValueError(f"The file's name must end in .npz, got {fname}.")
    text = {name: value for name, value in content.items() if isinstance(value, str)}
    arrays = {name: value for name, value in content.items() if name not in text}
    save_file(fname, text, arrays, version=version, overwrite=overwrite)


def read_npz(fname, cls, *, version, kind):
    """Make an object of what :func:`save_npz` wrote, by its class's ``from_dict``."""
    with damage_named(fname, kind, f"{cls.__name__}.save()"):
        content, arrays = read_file(fname, version)
        return cls.from_dict(content | arrays)
