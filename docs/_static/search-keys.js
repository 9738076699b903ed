// Ctrl+K (or Command+K) goes to the search, as "/" does (Sphinx has that one). Where the sidebar is put away, to its page.
"use strict";
addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
  event.preventDefault();
  const boxes = [document.getElementById("search-box"), document.querySelector(".sidebar-search")];
  const box = boxes.find((one) => one?.checkVisibility() && one.getBoundingClientRect().right > 0);
  if (box) {
    box.focus();
    box.select();
  } else {
    location.href = document.querySelector('link[rel="search"]').href;
  }
});
