// Give each block of code a button that copies exactly its source. Without JavaScript nothing is missing.
"use strict";
(() => {
  if (!navigator.clipboard && !document.execCommand) return;
  const copy = async (text) => {
    if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
    const area = document.createElement("textarea"); // file:// has no clipboard of its own
    area.value = text;
    area.setAttribute("readonly", "");
    area.className = "copy-source";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) throw new Error("the browser refused to copy");
  };
  // An example from a docstring: its code alone, without prompts and results.
  const code = (text) =>
    text.startsWith(">>> ")
      ? text.split("\n").filter((line) => /^(>>>|\.\.\.)( |$)/.test(line)).map((line) => line.slice(4)).join("\n")
      : text;
  const blocks = document.querySelectorAll(
    "div.cell_input div.highlight, div.library-code div.highlight, article div[class*=highlight-] > div.highlight",
  );
  for (const block of new Set(blocks)) {
    const pre = block.querySelector("pre");
    if (!pre || block.closest(".cell_output")) continue;
    const source = code(pre.textContent.replace(/\n$/, ""));
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy-button";
    button.textContent = "Copy";
    button.setAttribute("aria-live", "polite");
    button.addEventListener("click", async () => {
      try {
        await copy(source);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Not copied";
      }
      setTimeout(() => (button.textContent = "Copy"), 2000);
    });
    block.classList.add("copyable");
    block.prepend(button);
  }
})();
