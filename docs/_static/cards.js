// A reference says what it leads to, without leaving the page: an equation, a citation, a word of the glossary, a name of
// the library. By mouse, by keyboard focus, and by a first tap (the second follows the link). What stands on another page
// is read from there, from this site and when it is asked for; from a file only what stands on the same page is known.
"use strict";
(() => {
  const KINDS = [ // [the link's anchor, what of its target is shown]
    [/^equation-/, (at) => [at.querySelector(".math-scroll")]],
    [/^term-/, (at) => [at, at.nextElementSibling]],
    [/^bptt\b/, (at) => [at, at.nextElementSibling?.querySelector("p")]],
    [/^id\d+/, (at) => [at.closest(".citation")]],
  ];
  const WAIT = 250, LEAVE = 200; // milliseconds: nobody who only passes sees a card, and a card can be entered
  const REMOVED = "button, .headerlink, .source-link, .ledger, .code-bar, script";
  const pages = new Map();
  let card = null, shownFor = null, timer = 0, asked = 0;

  const kindOf = (link) => link.hash && KINDS.find(([pattern]) => pattern.test(decodeURIComponent(link.hash.slice(1))));
  const linkAt = (target) => {
    const link = target.closest?.("article a[href]");
    return link && !link.closest(".card") && link.origin === location.origin && kindOf(link) ? link : null;
  };
  const here = (link) => link.pathname === location.pathname;
  async function page(link) {
    if (here(link)) return document;
    const address = link.href.split("#")[0];
    if (!pages.has(address)) {
      const read = (text) => new DOMParser().parseFromString(text.replace(/<style[^]*?<\/style>/g, ""), "text/html"); // its own styles are not of this page's policy
      pages.set(address, fetch(address).then((answer) => answer.text()).then(read));
    }
    return pages.get(address);
  }
  async function content(link) {
    const at = (await page(link)).getElementById(decodeURIComponent(link.hash.slice(1)));
    const parts = (at && kindOf(link)[1](at))?.filter(Boolean) ?? [];
    return parts.map((part) => {
      const copy = document.importNode(part, true);
      copy.querySelectorAll(REMOVED).forEach((node) => node.remove());
      for (const node of [copy, ...copy.querySelectorAll("[id], a[href], [tabindex]")]) {
        node.removeAttribute("id");
        node.removeAttribute("tabindex");
        node.removeAttribute("data-more");
        if (node.tagName === "A") node.replaceWith(...node.childNodes);
      }
      const box = document.createElement("div");
      box.append(...(/^(DT|DD)$/.test(copy.tagName) ? copy.childNodes : [copy]));
      return box;
    });
  }
  function hide() {
    clearTimeout(timer);
    asked++;
    if (!card) return;
    shownFor?.removeAttribute("aria-describedby");
    card.remove();
    card = shownFor = null;
  }
  async function show(link, tapped = false) {
    if (link === shownFor) return;
    hide();
    if (location.protocol === "file:" && !here(link)) return;
    const mine = asked;
    const parts = await content(link).catch(() => []);
    if (mine !== asked || !parts.length) {
      if (tapped && !parts.length) location.href = link.href;
      return;
    }
    card = document.createElement("div");
    card.id = "card";
    card.className = "card";
    card.setAttribute("role", "tooltip");
    card.append(...parts);
    if (tapped) {
      const go = document.createElement("a");
      go.href = link.href;
      go.textContent = "Go there";
      card.append(go);
    }
    card.addEventListener("pointerenter", () => clearTimeout(timer));
    card.addEventListener("pointerleave", leave);
    document.body.append(card);
    link.setAttribute("aria-describedby", "card");
    shownFor = link;
    place(link);
  }
  function place(link) { // below the link, or above it where there is more room; inside of the window
    const at = link.getClientRects()[0], { width, height } = card.getBoundingClientRect(), wide = document.documentElement.clientWidth;
    const below = at.bottom + height + 8 < innerHeight || at.top < height + 8;
    card.style.left = `${Math.max(8, Math.min(at.left, wide - width - 8))}px`;
    card.style.top = `${below ? at.bottom + 4 : at.top - height - 4}px`;
  }
  const leave = () => {
    clearTimeout(timer);
    timer = setTimeout(hide, LEAVE);
  };

  document.addEventListener("pointerover", ({ target, pointerType }) => {
    const link = pointerType === "mouse" && linkAt(target);
    if (!link) return;
    clearTimeout(timer);
    timer = setTimeout(() => show(link), WAIT);
  });
  document.addEventListener("pointerout", ({ target, pointerType }) => pointerType === "mouse" && linkAt(target) && leave());
  document.addEventListener("focusin", ({ target }) => {
    const link = linkAt(target);
    if (link?.matches(":focus-visible")) show(link);
  });
  document.addEventListener("focusout", ({ target }) => linkAt(target) && leave());
  document.addEventListener("click", (event) => {
    const link = linkAt(event.target);
    if (link && event.pointerType === "touch" && link !== shownFor && (location.protocol !== "file:" || here(link))) {
      event.preventDefault();
      show(link, true);
    } else if (!event.target.closest?.(".card")) {
      hide();
    }
  });
  addEventListener("keydown", ({ key }) => key === "Escape" && hide());
  addEventListener("scroll", () => { // a link that gets the focus is scrolled to, and its card goes along
    if (shownFor) shownFor === document.activeElement ? place(shownFor) : hide();
  }, { passive: true });
})();
