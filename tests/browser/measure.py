"""What is seen of a page in a real browser: messages, requests, width, formulas, and axe's findings."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, Response, sync_playwright

WIDTHS = (1280, 390)
THEMES = ("light", "dark")
TOOLS = Path(os.environ.get("BPTT_NODE_TOOLS", "node_modules-of-no-session"))
# Chromium asks its makers for things of its own; no page of ours is to be blamed, nor helped.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# On a phone it is not the window that scrolls, but furo's box around the article.
WIDE = """() => {
  const wide = document.documentElement.clientWidth;
  const around = (e) => (e ? [e, ...around(e.parentElement)] : []), holds = (e) => getComputedStyle(e).overflowX !== "visible";
  const boxes = [document.documentElement, ...around(document.querySelector("h1")).filter(holds)];
  const box = boxes.find((e) => e.scrollWidth > e.clientWidth);
  if (!box) return [];
  const beyond = [...box.querySelectorAll("*")]
    .filter((e) => e.getBoundingClientRect().right > wide + 1 && !around(e.parentElement).find((p) => holds(p) && !boxes.includes(p)))
    .map((e) => `${e.tagName.toLowerCase()}.${e.getAttribute("class") || ""}`);
  return [`${box.scrollWidth} px of ${box.clientWidth}`, ...beyond.slice(0, 4)];
}"""
FONTS = "() => document.fonts.ready.then(() => null)"
FOLDS = f"(document.querySelectorAll('details').forEach((fold) => {{ fold.open = true; }}), ({FONTS})())"
# Words that cannot be scrolled to: left of the window or above it, or beyond a box that hides what does not fit, on either axis.
# Of code it is enough to look at its block, and formulas have a look of their own.
CUT = """() => [...document.querySelectorAll(":is(article, footer) :not(pre *, .katex, .katex *)")].filter((e) => {
  const { left, right, top, bottom, width } = e.getBoundingClientRect(), wide = document.documentElement.clientWidth;
  const own = e.localName === "pre" || [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim());
  if (!own || width < 2 || !e.checkVisibility({ visibilityProperty: true })) return false;
  let across = true, down = true;  // a box that scrolls lets a reader come to all that is in it
  for (let box = e; !box.matches("article, footer"); box = box.parentElement) {
    const { overflowX, overflowY } = getComputedStyle(box), at = box.getBoundingClientRect(), hides = /hidden|clip/;
    if (Math.min(at.width, at.height) < 2) return false;
    across &&= !/auto|scroll/.test(overflowX);
    down &&= !/auto|scroll/.test(overflowY);
    const wider = box === e ? e.scrollWidth > e.clientWidth + 1 : left < at.left - 1 || right > at.right + 1;
    const higher = box === e ? e.scrollHeight > e.clientHeight + 3 : top < at.top - 3 || bottom > at.bottom + 3;
    if ((across && hides.test(overflowX) && wider) || (down && hides.test(overflowY) && higher)) return true;
  }
  return (across && (left < -1 || right > wide + 1)) || (down && top < -1 - scrollY);
}).slice(0, 4).map((e) => `cut off: ${e.localName}.${e.className}: ${e.textContent.trim().slice(0, 40)}`)"""
# What axe does not count among targets: a fold's summary, and links in a drawing. WCAG's 24 px, as axe has it.
SMALL = """() => [...document.querySelectorAll("summary, svg a")].filter((e) => {
  const { width, height } = e.getBoundingClientRect();
  return e.checkVisibility({ visibilityProperty: true }) && Math.min(width, height) < 24;
}).slice(0, 4).map((e) => `${e.localName}.${e.getAttribute("class") || ""}: ${e.textContent.trim().slice(0, 40)}`)"""
UNSEEN = """() => [...document.querySelectorAll("article .katex-html")]
  .filter((e) => { const box = e.getBoundingClientRect(); return !(box.width && box.height); })
  .map((e) => e.textContent.slice(0, 40))"""
COLLISIONS = """() => [...document.querySelectorAll(".math-wrapper")].flatMap((wrapper) => {
  const parts = [...wrapper.querySelectorAll(".math-scroll, .eqno, .ledger")];
  const boxes = parts.map((part) => part.getBoundingClientRect());
  const wide = document.documentElement.clientWidth;
  const out = boxes.filter((b) => b.right > wide + 1 || b.left < 0).map(() => `${wrapper.id} leaves`);
  boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => {
    const apart = a.right <= b.left + 1 || b.right <= a.left + 1 || a.bottom <= b.top + 4 || b.bottom <= a.top + 4;
    if (!apart) out.push(`${wrapper.id} collides`);
  }));
  return out;
})"""
LOOKS = {"small": SMALL, "formulas": UNSEEN, "collisions": COLLISIONS}
HIDE = """() => {
  const all = new CSSStyleSheet();
  all.replaceSync("[data-unlooked] { visibility: hidden !important }");
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, all];
}"""
# A formula is hundreds of elements of one color, and as many that no rule knows: axe is shown its text in one element,
# as wide as it was where it stands alone. Formulas with colors of their own stay whole. So with code: of the tokens of a
# class in blocks of a class, which have one color, the first keeps its element.
PLAIN = """() => {
  const all = [...document.querySelectorAll(".katex-html")].filter((e) => !e.querySelector("[style*=color], a"));
  const alone = all.filter((e) => e.closest(".katex-display")), wide = alone.map((e) => e.getBoundingClientRect().width);
  alone.forEach((e, k) => Object.assign(e.style, { display: "inline-block", width: `${wide[k]}px` }));
  [...all, ...document.querySelectorAll(".katex-mathml > math")].forEach((e) => { e.textContent = e.textContent; });
  const kinds = new Set(), tokens = document.querySelectorAll(".highlight pre span[class]:not([id])");
  for (const e of [...tokens].filter((e) => !e.childElementCount && e.parentElement.localName !== "a")) {
    const kind = [e, e.parentElement, e.closest(".highlight").parentElement].map((e) => e.className).join(" / ");
    if (kinds.has(kind)) e.replaceWith(...e.childNodes);
    kinds.add(kind);
  }
  document.querySelectorAll(".highlight pre").forEach((e) => e.normalize());
}"""
# The size of targets is not among axe's defaults; Lighthouse looks at it. What most of its time goes into is a map of
# all that is visible: where it looks at a few elements only, the rest keeps its place but is hidden meanwhile.
AXE = """async ([only, where, not]) => {
  const include = where ? window[where] : [document.documentElement], hidden = [];
  if (!include.length) return [];
  const kept = new Set();
  for (let e of where ? include : []) for (; e && !kept.has(e); e = e.parentElement) kept.add(e);
  for (const e of kept) {
    if (include.some((i) => i.contains(e))) continue;
    for (const child of e.children) if (!kept.has(child)) hidden.push(child);
  }
  hidden.forEach((e) => e.toggleAttribute("data-unlooked", true));
  const found = await axe.run({ include }, {
    resultTypes: where ? ["violations", "passes"] : ["violations"], elementRef: true,
    ...(only.length ? { runOnly: { type: "rule", values: only } } : {}),
    rules: { "target-size": { enabled: true }, ...Object.fromEntries((not ?? []).map((rule) => [rule, { enabled: false }])) },
  });
  hidden.forEach((e) => e.toggleAttribute("data-unlooked", false));
  const judged = [...found.violations, ...found.passes].filter(({ id }) => id === "color-contrast");
  window.judged = new Set(judged.flatMap(({ nodes }) => nodes.map(({ element }) => element)));
  return found.violations
    .map((v) => `${v.id}: ${v.nodes[0].html.slice(0, 160)} (${v.nodes.length} times)`);
}"""
# What of axe's findings depends on the theme, and what on the width; all else is the same for both. Contrast takes half of
# axe's time: it is looked at in a text of each kind, and where axe cannot judge that one in all of the kind.
BY_THEME = ["color-contrast", "link-in-text-block"]
BY_WIDTH = ["scrollable-region-focusable", "target-size"]
# kinds: a text of each kind that this theme did not show before, here or on another page. Two of one color and one
# class of size, on the same backgrounds, have the same contrast. fresh: these, and elements that the first width did
# not show, unless the same one, but for where its links lead, was looked at on another page. JUDGED: the kinds that axe has
# judged; of the others it is to look at all. Of a field without a value axe sees no words: it has the hint in it for
# one, in its own color and then in that of the hint.
SORT = """([theme, before]) => {
  document.querySelectorAll("[placeholder]").forEach((e) => { e.value = e.placeholder; e.style.color = ""; });
  const clear = "rgba(0, 0, 0, 0)", behind = new Map([[null, ""]]), kinds = new Map(), seen = [];
  const stack = (e) => {
    if (!behind.has(e)) {
      const s = getComputedStyle(e), look = [s.backgroundColor, s.backgroundImage, s.opacity, s.position];
      const plain = look.join() === [clear, "none", "1", "static"].join();
      behind.set(e, stack(e.parentElement) + (plain ? "" : look.join() + ";"));
    }
    return behind.get(e);
  };
  for (const e of window.pointed ?? document.body.querySelectorAll("*")) {
    if (!e.checkVisibility({ visibilityProperty: true })) continue;
    seen.push(e);
    const words = [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim());
    if (!words && !e.matches("input:not([type=checkbox]), select")) continue;
    const { left, right, bottom } = e.getBoundingClientRect();
    if (right <= 0 || left >= innerWidth || bottom <= 0 || e.closest(".katex-mathml, svg")) continue;  // axe cannot judge these
    const s = getComputedStyle(e), size = parseFloat(s.fontSize);
    const large = size >= (parseInt(s.fontWeight) >= 700 ? 18.66 : 24);  // as WCAG has it
    const around = getComputedStyle(e.parentElement).color;  // a link is compared with the words around it
    const look = [s.color, around, large, s.textShadow, s.textDecorationLine, e.localName];
    const kind = [theme, ...look] + stack(e);
    kinds.set(kind, [...(kinds.get(kind) ?? []), e]);
  }
  before.forEach((kind) => kinds.delete(kind));
  const first = !window.looked;
  const fresh = new Set(first ? [] : seen.filter((e) => !window.looked.has(e)));
  window.looked = new Set([...(window.looked ?? []), ...seen]);
  window.texts = kinds;
  window.kinds = [...kinds.values()].map(([e]) => e);
  window.alike = new Map([...fresh].filter((e) => !fresh.has(e.parentElement)).map((e) => [e.outerHTML.replace(/ href="[^"]*"/g, ""), e]));
  before.forEach((markup) => window.alike.delete(markup));
  window.fresh = [...window.alike.values(), ...window.kinds];
}"""
JUDGED = """(where) => {
  const hints = [...window.texts.values()].flat().filter((e) => e.placeholder);
  hints.forEach((e) => { e.style.color = getComputedStyle(e, "::placeholder").color; });
  const judged = [...window.texts].filter(([, all]) => all.some((e) => window.judged.has(e))).map(([kind]) => kind);
  judged.forEach((kind) => window.texts.delete(kind));
  window.kinds = [...window.texts.values()].flatMap(([, ...rest]) => rest).concat(hints);
  return [...judged, ...(where === "fresh" ? window.alike.keys() : [])];
}"""
# What axe does not look at: links and buttons while they are pointed at, chosen or pressed, or where they led to and what
# they lead to, all of which have these states from here on; words of pseudo-elements and of drawings, each of which gets a
# copy as an element, in its own color and size. From here on SORT sorts these alone.
STATES = ("hover|active|focus(-visible|-within)?", "target|visited")
SHOWN = """(states) => {
  const pointed = new RegExp(`:(${states})(?![-\\w])`, "g"), unreal = /::[-\\w]+/g, worded = new Set();
  const all = (selector) => { try { return document.querySelectorAll(selector.replace(unreal, "")); } catch { return []; } };
  document.querySelectorAll("[data-copy]").forEach((e) => e.remove());
  window.pointed = new Set();
  window.written ??= new Map();  // rule -> its selector, before another was put in its place
  const look = (rule) => {
    const { selectorText, style, cssRules } = rule, was = window.written.get(rule) ?? selectorText;
    const always = was?.replace(pointed, ":not(#n)") ?? "";
    if (always !== (selectorText ?? "")) rule.selectorText = always;
    window.written.set(rule, was);
    const shows = !/^scroll-[^;]*;$/.test(style?.cssText);  // a margin of scrolling, which every place has, is not seen
    if (shows && always.includes(":not(#n)")) all(always).forEach((e) => [e, ...e.querySelectorAll("*")].forEach((x) => window.pointed.add(x)));
    if (/"[^"]*[^\\W_]|attr|counter/u.test(style?.content)) all(always).forEach((e) => worded.add(e));
    [...(cssRules ?? [])].forEach(look);
  };
  [...document.styleSheets].forEach(look);
  const copy = (place, { fontSize, fontWeight }, color, background) => {
    const made = document.createElement("span");
    Object.assign(made.style, { position: "static", color, background, fontSize, fontWeight });
    made.dataset.copy = made.textContent = "Words";
    place.append(made);
    window.pointed.add(made);
  };
  for (const side of ["::before", "::after"]) {
    for (const e of worded) {
      const of = getComputedStyle(e, side);
      if (/"[^"]*[^\\W_]|counter/u.test(of.content)) copy(e, of, of.color, of.backgroundColor);
    }
  }
  document.querySelectorAll("svg :is(text, tspan)").forEach((e) => copy(e.closest("svg").parentElement, getComputedStyle(e), getComputedStyle(e).fill, ""));
}"""
# What stands elsewhere than in the first theme: so what is seen of places and sizes in one theme holds for both.
MOVED = """(first) => {
  const before = window.places, every = [...document.querySelectorAll("body :not(.theme-toggle, .theme-toggle *, pre *, svg, svg *)")];
  const places = new Map(every.map((e) => [e, Object.values(e.getBoundingClientRect().toJSON()).map(Math.round).join()]));
  window.places = places;
  const moved = first ? [] : every.filter((e) => before.get(e) !== places.get(e));
  return moved.slice(-1).map((e) => e.outerHTML.slice(0, 160));
}"""
DRESS = """async (theme) => {
  localStorage.setItem("theme", theme);
  document.body.dataset.theme = theme;
  await new Promise((done) => requestAnimationFrame(done));  // what follows the theme has been told
}"""


def chromium() -> str | None:
    """Return the browser to drive: CHROMIUM, or what is installed, or Playwright's own (None).

    The shell is Chromium without windows, as Playwright's own is; pages load in it in two thirds of the time.
    """
    names = ("chromium-headless-shell", "chromium", "google-chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


@contextmanager
def launch() -> Iterator[Browser]:
    """Start the browser while the block runs."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield browser
        browser.close()


@cache
def _axe() -> str:
    return (TOOLS / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


@dataclass
class Seen:
    """All that is wrong with a page, by kind, and the bytes it cost to load."""

    console: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    overflow: list[str] = field(default_factory=list)
    small: list[str] = field(default_factory=list)
    formulas: list[str] = field(default_factory=list)
    collisions: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    axe: list[str] = field(default_factory=list)
    transferred: int = 0

    def wrong(self) -> list[str]:
        """Return everything that is wrong, each with its kind."""
        kinds = {k: v for k, v in vars(self).items() if isinstance(v, list)}
        return [f"{kind}: {words}" for kind, each in kinds.items() for words in each]

    def listen(self, page: Page, home: str) -> None:
        """Note what a page says, asks for and gets, from now on."""
        own = (home, "data:", "blob:")
        page.on("console", lambda m: self.console.append(m.text))
        page.on("pageerror", lambda e: self.console.append(str(e)))
        page.on("request", lambda r: r.url.startswith(own) or self.foreign.append(r.url))
        page.on("requestfailed", lambda r: self.failed.append(r.url))
        page.on("response", self._response)

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.failed.append(f"{response.status} {response.url}")
        self.transferred += int(response.headers.get("content-length", 0))


def context(browser: Browser, theme: str, width: int, *, script: bool = True) -> BrowserContext:
    """Return a fresh reader with a theme and a window."""
    made = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=theme, java_script_enabled=script,
        reduced_motion="reduce",  # so that a color is not looked at half-way
    )  # fmt: skip
    made.set_default_navigation_timeout(120_000)  # milliseconds; the machine may be busy
    if script:
        made.add_init_script(f"try {{ localStorage.setItem('theme', '{theme}'); }} catch {{}}")
    return made


@contextmanager
def opened(reader: BrowserContext, home: str, name: str) -> Iterator[tuple[Page, Seen]]:
    """Open a page as `reader`, and close it after the block."""
    seen, page = Seen(), reader.new_page()
    seen.listen(page, home)
    page.goto(home + name, wait_until="load")
    page.evaluate(FONTS)
    yield page, seen
    page.close()


def look(reader: BrowserContext, home: str, name: str) -> Seen:
    """Open a page as `reader`, with all its folds, and return what is seen, without axe."""
    with opened(reader, home, name) as (page, seen):
        page.evaluate(FOLDS)
        seen.overflow = page.evaluate(WIDE) or page.evaluate(CUT)
        seen.formulas = page.evaluate(UNSEEN)
    return seen


def inspect(
    reader: BrowserContext, home: str, name: str, *,
    known: set[str] | None = None, pointed: bool = True,
) -> Seen:  # fmt: skip
    """Open a page once and return what is seen in both themes and at both widths, with all its folds.

    All of axe's rules but those of contrast look at all of the page at the first width in the first theme; at the second
    width the size of targets and what scrolls, on all of the page, and all rules at what was not shown before. Contrast is
    looked at in all four views, in a text of each kind. The kinds in `known` were shown before, on other pages of the
    site; those of this page are added. What is pointed at, and drawn, is looked at if `pointed`.
    """
    known = set() if known is None else known
    with opened(reader, home, name) as (page, seen):
        folded = {}
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            folded[width] = page.evaluate(WIDE)
        page.evaluate(FOLDS)
        for width in reversed(WIDTHS):  # as each change of the width lays out the page anew
            page.set_viewport_size({"width": width, "height": 900})
            wrong = {kind: page.evaluate(look) for kind, look in LOOKS.items()}
            wrong["overflow"] = folded[width] or page.evaluate(WIDE) or page.evaluate(CUT)
            for kind, words in wrong.items():
                getattr(seen, kind)[:0] = [f"{width}: {each}" for each in words]
        page.evaluate(HIDE)
        page.evaluate(PLAIN)
        page.evaluate(_axe())
        for width, theme, first in _back_and_forth(WIDTHS):
            if first:
                page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=theme)
            page.evaluate(DRESS, theme)
            seen.moved += [f"{width}: {words}" for words in page.evaluate(MOVED, first)]
            looks = _looks(page, width, theme, first, known)
            found = dict.fromkeys(words for look in looks for words in look)
            seen.axe += [f"{theme} {width}: {words}" for words in found]
        if not pointed:
            return seen
        page.set_viewport_size({"width": WIDTHS[0], "height": 900})
        for states, theme, _ in _back_and_forth(STATES):
            page.emulate_media(color_scheme=theme)
            page.evaluate(DRESS, theme)
            page.evaluate(SHOWN, states)
            page.evaluate(SORT, [theme, sorted(known)])
            found = page.evaluate(AXE, [BY_THEME, "kinds"])
            known.update(page.evaluate(JUDGED))
            seen.axe += [f"{theme}, pointed at or drawn: {words}" for words in found]
    return seen


def _back_and_forth(views: tuple[Any, ...]) -> Iterator[tuple[Any, str, bool]]:
    """Yield each view in each theme, and whether it is new, so that a theme is changed only within a view."""
    for k, view in enumerate(views):
        for theme in THEMES[:: -1 if k % 2 else 1]:
            yield view, theme, theme == THEMES[k % 2]


def _looks(page: Page, width: int, theme: str, first: bool, known: set[str]) -> Iterator[list[str]]:
    """Let axe look at one view of a page, the first at its width or not."""
    page.evaluate(SORT, [theme, sorted(known)])
    rules, where = BY_THEME, "kinds"
    if first and width == WIDTHS[0]:
        yield page.evaluate(AXE, [[], "", BY_THEME])
    elif first:
        yield page.evaluate(AXE, [BY_WIDTH, ""])
        rules, where = [], "fresh"
    for look in ([rules, where], [BY_THEME, "kinds"]):
        yield page.evaluate(AXE, look)
        known.update(page.evaluate(JUDGED, look[1]))
