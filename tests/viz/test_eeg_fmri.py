"""Figures of EEG to fMRI: intervals, scores and patterns."""

import matplotlib.pyplot as plt
import mne
import numpy as np
import pytest
from sklearn.linear_model import Ridge

from mne_sbi.eeg_fmri import Evaluation, PredictionPatterns, evaluate
from mne_sbi.viz import plot_evaluation, plot_patterns, plot_time_courses

from .volumes import n_voxels, panels, slices

BANDS = {"theta": (4.0, 8.0), "alpha": (8.0, 13.0)}


# ------------------------------------------------------------------- time courses
def test_intervals_have_the_width_that_is_given():
    times = 2.0 * np.arange(50)
    rng = np.random.default_rng(0)
    measured, predicted = rng.standard_normal((2, 50, 3))
    std = np.array([0.5, 1.0, 2.0])
    fig = plot_time_courses(
        times, measured, predicted, std, names=["a", "b", "c"], show=False
    )
    axes = panels(fig)
    assert len(axes) == 3
    for i, ax in enumerate(axes):
        band = ax.collections[0].get_paths()[0].vertices
        for k in (0, 17, 49):
            ends = band[band[:, 0] == times[k], 1]
            assert ends.max() - ends.min() == pytest.approx(2 * 1.645 * std[i])
            assert ends.max() + ends.min() == pytest.approx(2 * predicted[k, i])
        lines = {line.get_label(): line.get_ydata() for line in ax.lines}
        np.testing.assert_array_equal(lines["measured"], measured[:, i])
        np.testing.assert_array_equal(lines["predicted"], predicted[:, i])
        inside = np.abs(measured - predicted)[:, i] <= 1.645 * std[i]
        r = np.corrcoef(measured[:, i], predicted[:, i])[0, 1]
        assert ax.get_title(loc="left") == (
            f"{'abc'[i]}, r = {r:.2f}, {inside.mean():.0%} of volumes in the interval"
        )
    assert axes[0].get_ylabel() == "change (%)"
    assert axes[-1].get_xlabel() == "time (s)"


def test_columns_to_show_and_volumes_without_a_prediction():
    times, y = np.arange(20.0), np.random.default_rng(0).standard_normal((20, 100))
    predicted = y.copy()
    predicted[:5] = np.nan
    axes = panels(plot_time_courses(times, y, predicted, show=False))
    assert [ax.get_title(loc="left").split(",")[0] for ax in axes] == [
        f"column {i}" for i in (0, 25, 50, 74, 99)
    ]
    (ax,) = panels(plot_time_courses(times, y, predicted, picks=[-1], show=False))
    # The correlation is of what was predicted.
    assert ax.get_title(loc="left") == "column 99, r = 1.00"
    (ax,) = panels(plot_time_courses(times, y[:, 0], y[:, 1], y[:, 2] ** 2, show=False))
    assert ax.get_title(loc="left").startswith("r = ")


def test_wrong_time_courses():
    times, y = np.arange(4.0), np.ones((4, 2))
    with pytest.raises(ValueError, match="of several recordings"):
        plot_time_courses(times[[0, 1, 0, 1]], y, y)
    with pytest.raises(ValueError, match="predicted must have shape"):
        plot_time_courses(times, y, y[:, :1])
    with pytest.raises(ValueError, match="std must have the shape"):
        plot_time_courses(times, y, y, np.ones(3))
    with pytest.raises(ValueError, match="not be negative"):
        plot_time_courses(times, y, y, -y)
    with pytest.raises(ValueError, match=r"names must have shape \(2,\).* got 1"):
        plot_time_courses(times, y, y, names=["a"])
    with pytest.raises(ValueError, match="columns from 0 to 1"):
        plot_time_courses(times, y, y, picks=2)


# ------------------------------------------------------------------------- scores
def evaluation_of(n_people=3, **kwargs):
    rng = np.random.default_rng(0)
    people = np.repeat([f"p{i}" for i in range(n_people)], 60)
    X = rng.standard_normal((len(people), 4))
    visible = X @ rng.standard_normal((4, 10))
    y = visible + 3 * rng.standard_normal(visible.shape)
    return evaluate(Ridge(), X, y, people, ceiling=visible, random_state=0, **kwargs)


def test_evaluation_has_a_dot_per_person_and_predictor():
    evaluation = evaluation_of()
    table = evaluation.table
    fig = evaluation.plot(show=False)
    left, right = panels(fig)
    for ax, score in ((left, "r"), (right, "skill")):
        dots = {line.get_label(): line for line in ax.lines if line.get_marker() == "o"}
        assert list(dots) == list(evaluation.people) == ["p0", "p1", "p2"]
        for person, line in dots.items():
            expected = table.loc[table["person"] == person, score]
            np.testing.assert_array_equal(line.get_xdata(), expected)
            # Below each other, in the order of the predictors.
            np.testing.assert_allclose(np.diff(line.get_ydata()), 1)
    labels = [label.get_text() for label in left.get_yticklabels()]
    assert labels == [
        "model",
        "own mean volume\n(needs fMRI)",
        "previous volume\n(needs fMRI)",
        "mean volume",
    ]
    # Each null is a bar beside its dot.
    bars = left.containers[0].patches
    np.testing.assert_allclose([bar.get_width() for bar in bars], table["r_null95"])
    middles = [bar.get_y() + bar.get_height() / 2 for bar in bars]
    ceiling = left.collections[0].get_segments()
    np.testing.assert_allclose([line[0, 0] for line in ceiling], table["r_ceiling"])
    np.testing.assert_allclose([line[:, 1].mean() for line in ceiling], middles)
    model = [line.get_ydata()[0] for line in left.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(middles[:3], model)
    assert fig.get_suptitle() == "leave one person out"


def test_skill_beyond_the_panel_is_marked_and_written():
    evaluation = evaluation_of()
    ax = panels(plot_evaluation(evaluation, show=False))[1]
    skill = evaluation.table.groupby("predictor")["skill"]
    copies = skill.get_group("previous volume")
    assert copies.max() < ax.get_xlim()[0] < skill.get_group("model").min()
    (text,) = [child.get_text() for child in ax.texts]
    assert text == f"{copies.min():.2f} to {copies.max():.2f}"
    (arrows,) = [line for line in ax.lines if line.get_marker() == 4]
    assert (arrows.get_xdata() == ax.get_xlim()[0]).all()
    assert len(arrows.get_xdata()) == 3


def test_many_people_one_person_and_leaks():
    left, _ = panels(evaluation_of(12, baselines=False).plot(show=False))
    assert sum(line.get_marker() == "o" for line in left.lines) == 12
    labels = {text.get_text() for text in left.figure.legends[0].get_texts()}
    assert labels == {"ceiling", "null, 95 %"}
    fig = evaluation_of(1, cv="shuffled", baselines=False).plot(show=False)
    assert "LEAKS" in fig.get_suptitle()


# ----------------------------------------------------------------------- patterns
@pytest.fixture
def info():
    info = mne.create_info(["Fz", "Cz", "Pz", "Oz", "C3", "C4"], 100.0, "eeg")
    return info.set_montage("biosemi16")


def patterns_of(n_voxels=12, masker=None, **kwargs):
    topographies = np.full((2, 6, 2, 4), 0.01)
    topographies[0, 3, 1, 2] = 0.6
    topographies[1, 1, 0, 0] = -0.4
    return PredictionPatterns(
        time_courses=np.random.default_rng(0).standard_normal((20, 2)),
        maps=np.linspace(-0.5, 1, 2 * n_voxels).reshape(2, -1),
        topographies=topographies,
        explained=np.array([0.8, 0.1]),
        masker=masker,
        **kwargs,
    )


def test_patterns_show_the_strongest_lag_and_the_voxels(info, masker):
    patterns = patterns_of(n_voxels(masker), masker, t_r=2.0)
    fig = patterns.plot(info, bands=BANDS, show=False)
    axes = panels(fig)
    titles = [ax.get_title() for ax in axes]
    assert titles[:2] == ["theta", "alpha"]
    assert titles.count("5 s before") == titles.count("1 s before") == 1
    assert "pattern 1: 80% of the predictions" in titles
    # Row by row: two bands and the profile.
    for row, (lag, peak) in enumerate([(2, 0.6), (0, 0.4)]):
        maps = [axes[4 * row + i].images[0] for i in range(2)]
        assert {image.get_clim() for image in maps} == {(-peak, peak)}
        lines = axes[4 * row + 2].lines
        for band in range(2):
            norm = np.linalg.norm(patterns.topographies[row, :, band], axis=0)
            np.testing.assert_allclose(lines[band].get_ydata(), norm)
            np.testing.assert_allclose(lines[band].get_xdata(), [1, 3, 5, 7])
        assert lines[2].get_xdata()[0] == 2 * lag + 1
    # Three slices of each map, after all else.
    drawn = slices(fig)[-6:]
    for row in range(2):
        end = np.abs(patterns.maps[row]).max()
        for image in drawn[3 * row : 3 * row + 3]:
            assert image.get_clim() == pytest.approx((-end, end))


def test_patterns_of_columns_without_a_place(info):
    axes = panels(plot_patterns(patterns_of(), info, show=False))
    assert [axes[0].get_title(), axes[1].get_title()] == ["band 0", "band 1"]
    assert axes[2].get_xlabel() == "" and axes[6].get_xlabel() == "lag (volumes)"
    heights = [bar.get_height() for bar in axes[3].patches]
    np.testing.assert_allclose(heights, patterns_of().maps[0])


def test_spectrograms_are_averaged_over_bands(info):
    patterns = patterns_of(axes=("channels", "frequencies", "windows"))
    bands = {"all": (4.0, 20.0), "high": (9.0, 20.0)}
    axes = panels(
        patterns.plot(info, bands=bands, freqs=np.array([6.0, 10.0]), show=False)
    )
    low, high = (line.get_ydata() for line in axes[2].lines[:2])
    mean = patterns.topographies[0].mean(axis=1)
    np.testing.assert_allclose(low, np.linalg.norm(mean, axis=0))
    np.testing.assert_allclose(
        high, np.linalg.norm(patterns.topographies[0, :, 1], axis=0)
    )
    # The oldest window comes first.
    np.testing.assert_allclose(axes[2].lines[0].get_xdata(), [3.5, 2.5, 1.5, 0.5])
    with pytest.raises(ValueError, match="need freqs="):
        patterns.plot(info)
    with pytest.raises(ValueError, match="'beta' .* none of the frequencies"):
        patterns.plot(info, bands={"beta": (13.0, 30.0)}, freqs=[6.0, 10.0])
    with pytest.raises(ValueError, match="must be a dictionary"):
        patterns.plot(info, bands=["alpha"], freqs=[6.0, 10.0])


def test_wrong_patterns(info, masker):
    patterns = patterns_of()
    with pytest.raises(TypeError, match="must be an mne.Info"):
        patterns.plot(["Fz"])
    with pytest.raises(ValueError, match="info has 5 channels, .* 6"):
        patterns.plot(mne.pick_info(info, range(5)))
    with pytest.raises(ValueError, match="bands has 1 names"):
        patterns.plot(info, bands="alpha")
    with pytest.raises(ValueError, match="12 columns, but the masker makes"):
        patterns.plot(info, masker=masker)


# ------------------------------------------------------------------------- report
def test_report_has_the_verdicts_tables_and_figures(info):
    evaluation = evaluation_of(cv="shuffled")
    assert "leak" in evaluation.verdicts
    report = mne.Report(title="x", verbose=False)
    figure = plot_patterns(patterns_of(), info, show=False)
    evaluation.add_to_report(report, figures={"What is used": figure})
    html = "\n".join(report.html)
    assert "Split: shuffled. Tested: 180 volumes of 3 people, 10 targets." in html
    for sentence in evaluation.verdicts.values():
        assert sentence.replace("'", "&#x27;") in html
    for name, why in evaluation.missing.items():
        assert f"{name} ({why})" in html
    assert f"<p>{evaluation.checks}.</p>" in html
    assert f"{evaluation.summary().loc['model', 'skill']:.3f}" in html
    for skill in evaluation.table["skill"]:
        assert f"<td>{skill:z.3f}</td>" in html
    assert "<td>previous volume (needs fMRI)</td>" in html
    assert f"<td>{evaluation.summary().loc['model', 'p']:.2g}</td>" in html
    assert "-0.000" not in html
    assert html.count("<img") + html.count("<svg") >= 2
    # The caller's figure is still open, the report's own is closed.
    assert plt.get_fignums() == [figure.number]


def test_report_without_findings_and_wrong_arguments():
    evaluation = evaluation_of(baselines=False)
    assert isinstance(evaluation, Evaluation) and not evaluation.verdicts
    report = mne.Report(title="x", verbose=False)
    evaluation.add_to_report(report, title="My model", tags=["fmri"])
    known = "9 checks passed; not checked: ridge (baselines=False), intervals ("
    assert evaluation.checks.startswith(known)
    assert f"<p>{known}" in "".join(report.html)
    with pytest.raises(TypeError, match="report must be an mne.Report"):
        evaluation.add_to_report("report.html")
    with pytest.raises(TypeError, match=r"Write \('fmri',\)"):
        evaluation.add_to_report(report, tags="fmri")
    with pytest.raises(TypeError, match="dictionary of figures"):
        evaluation.add_to_report(report, figures=[plt.figure()])
