"""Warnings are kept for the result, whatever is shown of them."""

import dataclasses
import threading

import mne
import pytest

from mne_sbi._warnings import (
    count_warnings,
    keep_warnings,
    keeps_warnings,
    warn_user,
)


def test_warnings_are_shown_and_kept_once():
    with (
        pytest.warns(RuntimeWarning, match="too short"),
        keep_warnings() as kept,
    ):
        warn_user("The recording is too short.")
        warn_user("The recording is too short.")
    assert kept == ["The recording is too short."]


def test_a_log_level_that_silences_keeps_the_message():
    with mne.utils.use_log_level("ERROR"), keep_warnings() as kept:
        warn_user("The recording is too short.")
    assert kept == ["The recording is too short."]


def test_blocks_nest_and_errors_close_them():
    with mne.utils.use_log_level("ERROR"), keep_warnings() as outer:
        warn_user("first")
        with pytest.raises(KeyError), keep_warnings() as inner:
            warn_user("second")
            raise KeyError
        warn_user("third")
    assert inner == ["second"]
    assert outer == ["first", "second", "third"]


def test_threads_keep_their_own():
    with mne.utils.use_log_level("ERROR"), keep_warnings() as kept:
        thread = threading.Thread(target=warn_user, args=("elsewhere",))
        thread.start()
        thread.join()
    assert kept == []


def test_a_record_keeps_what_its_function_warned_of():
    @dataclasses.dataclass(frozen=True)
    class Record:
        value: int
        warnings: tuple = ()

    @keeps_warnings
    def compute(value):
        """Compute."""
        warn_user("too short")
        return Record(value)

    assert compute.__doc__ == "Compute."
    with mne.utils.use_log_level("ERROR"):
        result = compute(3)
    assert result == Record(3, ("too short",))
    assert count_warnings(result) == " | 1 warning, see .warnings"
    assert count_warnings(Record(3)) == ""
