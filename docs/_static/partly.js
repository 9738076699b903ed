// Lay out what a marked page has left out (docs/_ext/partly.py), a section at a time while the browser is idle, from
// the first sign of a reader on. A little after the page has come each section is measured, so that it takes the
// room that it will need; nothing is drawn for that. All is laid out at once before anybody jumps to a place in the
// page, prints it, or looks for words in it.
//
// The room is a block size, not a contain-intrinsic-size: with content-visibility: auto the browser takes the size
// that it remembers before the one it is given, and it may remember a section of which half had come.
"use strict";
(() => {
  const root = document.documentElement;
  if (!root.classList.contains("partly")) return;
  const sections = [...document.querySelectorAll("article section > section:not(:has(section))")];
  const left = [...sections], unmeasured = [...sections];
  const SIGNS = ["scroll", "pointermove", "pointerdown", "touchstart", "keydown", "resize"], SECONDS = 1.5;
  let begun = false;
  const idle = window.requestIdleCallback ?? ((work) => setTimeout(work, 50));

  // What is in the middle of the screen: it must not move when sections above it get their true heights.
  function middle() {
    const half = innerHeight / 2;
    let found = document.elementFromPoint(innerWidth / 2, half);
    while (found?.querySelector("section")) {
      found = [...found.children].find((e) => e.getBoundingClientRect().bottom > half);
    }
    return found ?? root;
  }
  function still(work) {
    if (!scrollY) { // nothing is above
      work();
      root.getBoundingClientRect(); // lays out now, not with others in the next frame
      return;
    }
    const seen = middle(), before = seen.getBoundingClientRect().top;
    root.style.overflowAnchor = "none"; // the browser would correct it once more
    work();
    const moved = seen.getBoundingClientRect().top - before;
    if (moved) scrollBy({ top: moved, behavior: "instant" });
    root.style.overflowAnchor = "";
  }
  function finish() {
    if (!root.classList.contains("partly")) return;
    still(() => {
      root.classList.remove("partly");
      for (const section of sections) section.style.contentVisibility = section.style.blockSize = "";
    });
    window.dispatchEvent(new Event("resize")); // for the list of sections, which knows where they were
  }
  function next() {
    if (!root.classList.contains("partly")) return;
    const section = left.shift();
    if (!section) return finish();
    still(() => {
      section.style.contentVisibility = "visible";
      section.style.blockSize = "";
    });
    idle(next);
  }
  function room(section) { // its own is what it was given
    return section.lastElementChild.getBoundingClientRect().bottom - section.getBoundingClientRect().top;
  }
  function measure() {
    const section = unmeasured.pop(); // the last first: nothing above them moves
    if (begun || !section) return;
    if (room(section) <= 0) { // the browser has no boxes for what came after it had left out the section: anew
      section.style.display = "none";
      room(section);
      section.style.display = "";
    }
    const size = room(section), seen = section.firstElementChild.checkVisibility?.({ contentVisibilityAuto: true });
    if (!seen) still(() => { section.style.blockSize = `${size}px`; });
    idle(measure);
  }
  function begin() {
    if (begun) return;
    begun = true;
    for (const name of SIGNS) removeEventListener(name, begin);
    idle(next);
  }
  const jumps = (event) => event.target.closest?.("a[href]")?.pathname === location.pathname && finish();
  document.addEventListener("click", jumps, { capture: true });
  for (const name of ["beforeprint", "hashchange", "popstate"]) window.addEventListener(name, finish);
  addEventListener("keydown", (event) => (event.ctrlKey || event.metaKey || event.key === "End") && finish());
  for (const name of SIGNS) addEventListener(name, begin, { passive: true });
  document.addEventListener("contentvisibilityautostatechange", (event) => {
    if (!event.skipped) event.target.style.blockSize = ""; // what is seen has its own size
  });
  addEventListener("load", () => setTimeout(measure, 1000 * SECONDS));
})();
