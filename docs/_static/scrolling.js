// What is wider than its place can be scrolled with the arrow keys, and so is a stop of the Tab key; what is not, is none.
// The end at which it goes on is marked (data-more), and fades (custom.css).
"use strict";
(() => {
  const boxes = "pre, .math-scroll, .table-wrapper, .bptt-figure";
  const seen = new Set(); // as far as they have been laid out
  const ends = (box) => [box.scrollLeft > 2 && "before", box.scrollLeft < box.scrollWidth - box.clientWidth - 2 && "after"].filter(Boolean).join(" ");
  const mark = (box, more) => {
    if (more) box.dataset.more = more;
    else delete box.dataset.more;
  };
  const settle = (all) => { // all are read before any is written to, so that the page is laid out once
    const scrolls = (box) => box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight + 1;
    for (const [box, stop, more] of all.map((box) => [box, scrolls(box), ends(box)])) {
      if (stop) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
      mark(box, more);
    }
  };
  document.addEventListener("scroll", ({ target }) => seen.has(target) && mark(target, ends(target)), { capture: true, passive: true });
  const sizes = new ResizeObserver((entries) => {
    const resized = entries.map(({ target }) => target);
    resized.forEach((box) => seen.add(box));
    settle(resized);
  });
  const watch = (place) => place.querySelectorAll(boxes).forEach((box) => sizes.observe(box));
  watch(document);
  document.addEventListener("bptt-shown", ({ target }) => watch(target)); // what a cell has put out
  document.fonts.ready.then(() => settle([...seen]));
})();
