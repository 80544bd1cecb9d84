"""Frames of a video in which no face was found: named, and where asked bridged."""

from dataclasses import replace

import numpy as np

from maskkit.video.tracking import Track

MOST_NAMED = 5  # gaps


def bridge(track: Track, seconds: float) -> Track:
    """Draw points into the gaps that last at most `seconds`, straight from the frame before to the frame after.

    Time is that of the frames. Gaps at a cut, at the start and at the end stay, and so do those after which the face
    was found in another place.
    """
    points, bridged = track.points.copy(), track.bridged.copy()
    for first, last in track.gaps():
        before, after = first - 1, last + 1
        if before < 0 or after >= len(points) or track.fresh[first : after + 1].any():
            continue
        start, end = track.times[before], track.times[after]
        if not 0 < end - start <= seconds:
            continue
        share = ((track.times[first:after] - start) / (end - start))[:, None, None]
        points[first:after] = (1 - share) * points[before].astype(np.float64) + share * points[after]
        bridged[first:after] = True
    return replace(track, points=points, bridged=bridged)


def name_gaps(track: Track) -> list[str]:
    """Sentences that say which frames have no face, and which have points that were drawn between others'."""
    notes = []
    count = len(track.times)
    gaps = [f"{first} to {last} ({track.times[first]:.2f}-{track.times[last]:.2f} s)" for first, last in track.gaps()]
    if gaps:
        missing = int((~track.found).sum())
        more = f" and {len(gaps) - MOST_NAMED} more" if len(gaps) > MOST_NAMED else ""
        notes.append(f"{track.source}: no face in {missing} of {count} frames: {', '.join(gaps[:MOST_NAMED])}{more}")
    if track.bridged.any():
        notes.append(f"{track.source}: {int(track.bridged.sum())} of {count} frames were bridged")
    return notes
