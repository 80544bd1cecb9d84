"""The page in a real Chromium: dragging, keys, undo, reloading, two tabs, and a server that goes away."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import maskkit
from maskkit.corrections.decisions import ACCEPT, CORRECT, REJECT
from tests.maskkit.studio.conftest import Studio, running

pytest.importorskip("uvicorn", reason="needs the extra studio")
chromium = pytest.importorskip("tests.maskkit.studio.chromium", reason="needs the extra studio")

LIPS, INNER_MOUTH = 5, 6
COUNT = "Number(document.querySelector('[data-region={}]')?.textContent)"
SAVED = "document.querySelector('#state')?.textContent === '{}, saved'"

Tab = Callable[..., chromium.Page]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """A browser that opens tabs on a row of a studio."""
    program = chromium.find_chromium()
    if program is None:
        pytest.skip("no Chromium is installed; on Debian: apt-get install chromium")
    with chromium.chromium(program, tmp_path_factory.mktemp("profile")) as tab:

        def open_row(studio: Studio, row: int) -> chromium.Page:
            page = tab()
            page.open(f"{studio.address}#{row}")
            page.wait(COUNT.format("skin"))
            return page

        yield open_row


def row_id(page: chromium.Page) -> str:
    """The id of the row that is shown."""
    return str(page.run("document.querySelector('#name').textContent"))


def shown(page: chromium.Page) -> np.ndarray:
    """The points as they lie on the page, float32 (68, 2)."""
    code = "[...document.querySelectorAll('[data-point]')].map(({dataset}) => [Number(dataset.x), Number(dataset.y)])"
    return np.array(page.run(code), dtype=np.float32)


def areas(page: chromium.Page, points: np.ndarray) -> tuple[int, int]:
    """Wait until the page counts the lips' and the inner mouth's pixels as the rasteriser draws them."""
    mask = maskkit.rasterize(points, 64)
    wanted = int((mask == LIPS).sum()), int((mask == INNER_MOUTH).sum())
    page.wait(f"{COUNT.format('lips')} === {wanted[0]} && {COUNT.format('inner_mouth')} === {wanted[1]}")
    return wanted


def test_dragged_lips_give_the_mask_that_the_rasteriser_draws(studio: Studio, browser: Tab) -> None:
    page = browser(studio, 0)
    before = shown(page)
    lips, mouth = areas(page, before)
    page.drag("[data-point='57']", 0, 60)
    page.wait(SAVED.format("corrected"))
    after = shown(page)
    assert after[57, 1] > before[57, 1] + 2 and (np.delete(after, 57, 0) == np.delete(before, 57, 0)).all()
    more_lips, same_mouth = areas(page, after)
    assert more_lips > lips and same_mouth == mouth  # point 57 is of the outer lip
    page.drag("[data-point='66']", 0, 40)
    page.wait(SAVED.format("corrected"))
    assert shown(page)[66, 1] > after[66, 1] + 1 and areas(page, shown(page))[1] > mouth
    one = wait_decided(studio, page, CORRECT, shown(page))
    assert (one.before == before).all()
    assert page.said == []


def wait_decided(studio: Studio, page: chromium.Page, verdict: str, points: np.ndarray) -> maskkit.Correction:
    """Wait until the file says of the row that is shown what it should."""
    name = row_id(page)
    for _ in range(300):
        found = studio.decided().get(name) if studio.file.exists() else None
        if found is not None and found.verdict == verdict and (found.wanted == points).all():
            return found
        page.run("new Promise((done) => setTimeout(done, 50))")
    raise AssertionError(f"{name} is {found}")


def test_the_keyboard_alone_corrects_a_row(studio: Studio, browser: Tab) -> None:
    page = browser(studio, 2)
    before = shown(page)
    label = "document.activeElement.getAttribute('aria-label')"
    page.run("document.querySelector('#find input').focus()")
    page.key("Tab")  # from the header into the photo: the chosen point
    assert page.run(label) == "point 0, jaw"
    page.key("[")
    page.key("]")
    for _ in range(36):
        page.key("]")
    assert page.run(label) == "point 36, right eye"
    for key, modifiers in (("ArrowRight", 0), ("ArrowDown", 0), ("ArrowDown", chromium.SHIFT)):
        page.key(key, modifiers)
    page.wait(SAVED.format("corrected"))
    wanted = before.copy()
    wanted[36] += np.float32([1, 1.1])
    assert np.abs(shown(page) - wanted).max() < 0.011  # what is moved is rounded to hundredths
    wanted = shown(page)
    assert (np.delete(wanted, 36, 0) == np.delete(before, 36, 0)).all()
    page.key("g")
    page.key("g")
    assert page.run("document.querySelector('#groups [aria-checked=true]').textContent") == "left eye"
    page.key("e")
    page.key("+")
    wait_decided(studio, page, CORRECT, shown(page))
    moved = (shown(page) != wanted).any(axis=1)
    assert moved[42:48].all() and not moved[:36].any() and not moved[48:].any()
    page.key("n")
    page.wait("location.hash === '#3'")
    page.key("r")
    page.wait(SAVED.format("rejected"))
    page.key("j")
    page.wait("location.hash === '#4'")
    page.key("a")
    page.wait(SAVED.format("accepted"))
    ids = [maskkit.ShardReader(studio.shards)[number]["id"] for number in (2, 3, 4)]
    assert [studio.decided()[name].verdict for name in ids] == [CORRECT, REJECT, ACCEPT]
    assert page.said == []


def test_undo_restores_to_the_byte_and_a_reload_keeps_the_state(studio: Studio, browser: Tab) -> None:
    page = browser(studio, 6)
    page.key("a")
    page.wait(SAVED.format("accepted"))
    content, before = studio.file.read_bytes(), shown(page)
    page.run("[...document.querySelectorAll('#groups button')].find((one) => one.textContent === 'mouth').click()")
    page.drag("[data-point='57']", 10, 30)
    page.wait(SAVED.format("corrected"))
    moved = shown(page)
    assert ((moved - before)[48:].min(axis=0) > 0).all() and (moved == before)[:48].all()
    steps = [moved]
    for handle in ("turn", "scale"):
        page.drag(f"[data-handle='{handle}']", 40, 10)
        page.wait(SAVED.format("corrected"))
        steps.append(shown(page))
    wait_decided(studio, page, CORRECT, steps[-1])
    page.run("window.before = true")
    page.call("Page.reload")
    page.wait("!window.before && " + COUNT.format("skin") + " && " + SAVED.format("corrected"))
    assert (shown(page) == steps[-1]).all() and page.run("location.hash") == "#6"
    for points in (steps[1], steps[0]):
        page.key("z", chromium.CONTROL)
        wait_decided(studio, page, CORRECT, points)
    page.key("z")
    page.wait(SAVED.format("accepted"))
    assert studio.file.read_bytes() == content and (shown(page) == before).all()
    for points in steps:
        page.click("[data-do=redo]")
        wait_decided(studio, page, CORRECT, points)


def test_two_tabs_see_each_other_and_neither_writes_over_the_other(studio: Studio, browser: Tab) -> None:
    one, other = browser(studio, 8), browser(studio, 8)
    one.drag("[data-point='30']", 25, 0)
    one.wait(SAVED.format("corrected"))
    other.wait(SAVED.format("corrected"))
    assert (shown(other) == shown(one)).all()
    other.key("r")
    other.wait(SAVED.format("rejected"))
    one.wait(SAVED.format("rejected"))
    other.key("z")
    one.wait(SAVED.format("corrected"))


def test_a_proposal_is_a_beginning(studio: Studio, browser: Tab) -> None:
    page = browser(studio, 10)
    before = shown(page)
    page.click("[data-proposal=neighbour]")
    page.wait(SAVED.format("corrected"))
    assert (shown(page) != before).any()
    page.click("[data-do=clear]")
    page.wait("document.querySelector('#state').textContent === 'not decided'")
    assert (shown(page) == before).all()


def test_a_server_that_is_killed_loses_nothing_and_the_page_says_so(
    drawn_shards: Path, tmp_path: Path, browser: Tab
) -> None:
    file = tmp_path / "mine.json"
    with running(drawn_shards, "--corrections", str(file)) as studio:
        page = browser(studio, 0)
        page.drag("[data-point='8']", 0, -20)
        page.wait(SAVED.format("corrected"))
        wanted = shown(page)
        studio.process.kill()
        studio.process.wait()
        page.wait("!document.querySelector('#trouble').hidden")
        assert "What was decided is saved" in page.run("document.querySelector('#trouble').textContent")
        page.key("r")
        page.wait("document.querySelector('#trouble').textContent.includes('not saved yet')")
    assert (next(iter(maskkit.read_corrections(file).rows.values())).wanted == wanted).all()
    with running(drawn_shards, "--corrections", str(file)) as studio:
        again = browser(studio, 0)
        again.wait(SAVED.format("corrected"))
        assert (shown(again) == wanted).all()
