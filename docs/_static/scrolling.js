// What is wider than its place can be scrolled with the arrow keys, and so is a stop of the Tab key; what is not, is none.
// The end at which it goes on is marked (data-more), and fades (custom.css).
"use strict";
(() => {
  const boxes = "pre, .math-scroll, .table-wrapper, .bptt-figure";
  const seen = new Set(); // as far as they have been laid out
  const mark = (box) => {
    const before = box.scrollLeft > 2, after = box.scrollLeft < box.scrollWidth - box.clientWidth - 2;
    if (before || after) box.dataset.more = [before && "before", after && "after"].filter(Boolean).join(" ");
    else delete box.dataset.more;
  };
  const settle = (box) => {
    const scrolls = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight + 1;
    if (scrolls) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
    mark(box);
  };
  document.addEventListener("scroll", ({ target }) => seen.has(target) && mark(target), { capture: true, passive: true });
  const sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      seen.add(target);
      settle(target);
    }
  });
  const watch = (place) => place.querySelectorAll(boxes).forEach((box) => sizes.observe(box));
  watch(document);
  document.addEventListener("bptt-shown", ({ target }) => watch(target)); // what a cell has put out
  document.fonts.ready.then(() => seen.forEach(settle));
})();
