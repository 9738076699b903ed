// The search: reads search-index.js (docs/_ext/publishing/search_index.py), and shows sections, names, equations and words
// with the way to them and an excerpt. Nothing is fetched, so that it works from a file, too.
"use strict";
(() => {
  const { pages, others } = window.bpttSearch;
  const list = document.getElementById("search-results"), told = document.getElementById("search-told");
  const box = document.getElementById("search-box"), hints = document.getElementById("search-hints");
  const root = document.documentElement.dataset.content_root ?? "./";
  const STEP = 10, A_PAGE = 3; // results at a time; of one page among them
  const SMALL = new Set("a an and are as at be by can do does for from how i if in is it my of on or not so than that the this to what when where which why with you".split(" "));

  // --- words: an identifier is a word, and so is each part of it
  const whole = (text) => text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? [];
  const words = (text) => whole(text).flatMap((word) => (word.includes("_") ? [word, ...word.split("_").filter(Boolean)] : [word]));
  const ENDINGS = /(?:ations?|ings?|edly|ed|ers?|es|s|ly|e)$/;
  const stem = (word) => (word.length > 4 && !word.includes("_") ? word.replace(ENDINGS, "").replace(/(.)\1$/, "$1") : word);

  // --- the entries, and in which of them a word stands: in the title, or in the text
  const FOR_KIND = { page: 1.6, section: 1, name: 1, equation: 1, word: 1 };
  const FOR_PART = [[/^(changelog|contributing)/, 0.3], [/^(reference\/(index|api\/(index|map)|comparison|bibliography|benchmarks)|howto\/index|index)/, 0.5], // they name all
    [/^exercises\/answers/, 0.4], [/^exercises/, 0.7], [/^howto\/bug-gallery/, 0.8], [/^reference\/faq/, 0.9], [/^learn/, 1.15]];
  const entries = [], places = new Map();
  for (const [name, part, rows] of pages) {
    const title = rows[0]?.[2] ?? name;
    for (const [anchor, kind, own, text] of rows) {
      const entry = { name, part, page: title, anchor, kind, title: own, text, address: `${name}.html${anchor ? `#${anchor}` : ""}` };
      entry.weight = FOR_KIND[kind] * (FOR_PART.find(([pattern]) => pattern.test(name))?.[1] ?? 1);
      entry.counts = new Map();
      const count = (from, amount) => { for (const word of words(from)) entry.counts.set(word, (entry.counts.get(word) ?? 0) + amount); };
      count(own, 6);
      count(title, 1.5);
      count(text, 1);
      entry.length = entry.text.length;
      for (const word of entry.counts.keys()) {
        if (!places.has(word)) places.set(word, []);
        places.get(word).push(entry);
      }
      entries.push(entry);
    }
  }
  const byStem = Map.groupBy ? Map.groupBy(places.keys(), stem) : [...places.keys()].reduce((all, word) => all.set(stem(word), [...(all.get(stem(word)) ?? []), word]), new Map());
  const mean = entries.reduce((sum, entry) => sum + entry.length, 0) / entries.length;

  // --- which words of the site a typed word may mean, and how surely
  const bare = (word) => word.replaceAll("_", "");
  const byBare = [...places.keys()].reduce((all, word) => all.set(bare(word), [...(all.get(bare(word)) ?? []), word]), new Map());
  function near(a, b, most) { // edit distance with neighbors exchanged, if it is at most `most`
    if (Math.abs(a.length - b.length) > most) return most + 1;
    let before = [], last = Array.from({ length: b.length + 1 }, (_, k) => k);
    for (let i = 1; i <= a.length; i++) {
      const row = [i];
      for (let j = 1; j <= b.length; j++) {
        row[j] = Math.min(row[j - 1] + 1, last[j] + 1, last[j - 1] + (a[i - 1] !== b[j - 1]));
        if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) row[j] = Math.min(row[j], before[j - 2] + 1);
      }
      if (Math.min(...row) > most) return most + 1;
      [before, last] = [last, row];
    }
    return last[b.length];
  }
  function meant(word) {
    const found = new Map();
    const add = (other, surely) => found.set(other, Math.max(surely, found.get(other) ?? 0));
    if (places.has(word)) add(word, 1);
    for (const other of byStem.get(stem(word)) ?? []) add(other, 0.9);
    if (bare(word).length > 1) for (const other of byBare.get(bare(word)) ?? []) add(other, 0.8); // Whh is W_hh
    if (word.length > 2) for (const other of places.keys()) if (other.startsWith(word)) add(other, 0.5);
    if (!found.size && word.length > 3) {
      const most = word.length > 7 ? 2 : 1;
      for (const other of places.keys()) {
        const away = near(word, other, most);
        if (away <= most) add(other, 0.7 / away);
      }
    }
    return found;
  }

  // --- others' words: the table's rows that a query has words of
  const said = (text) => ` ${whole(text).join(" ")} `;
  const short = (text) => ` ${whole(text).filter((word) => !SMALL.has(word)).join(" ")} `;
  const table = others.map((row) => ({ ...row, others: row.others.split(",") }));
  const rowsOf = (query) => {
    const all = said(query), few = short(query); // "check the backward pass" asks for what "check my backward pass" does
    const asks = (word) => all.includes(said(word)) || (short(word).trim().includes(" ") && few.includes(short(word)));
    const sizes = table.map((row) => Math.max(0, ...row.others.filter(asks).map((word) => whole(word).length)));
    const most = Math.max(...sizes, 0);
    return most ? table.filter((_, k) => sizes[k] === most) : [];
  };

  function search(query) {
    const asked = whole(query), wanted = asked.filter((word) => !SMALL.has(word));
    const terms = (wanted.length ? wanted : asked).map((word) => ({ word, share: 1 }));
    const rows = rowsOf(query);
    const ours = rows.flatMap((row) => words(row.ours)).filter((word) => !asked.includes(word) && !SMALL.has(word));
    const extra = [...new Set(ours)].map((word) => ({ word, share: 0.25, ours: true }));
    const scores = new Map(), used = new Set(), own = new Set(); // own: what was typed, and not what it means here
    for (const { word, share, ours: added } of [...terms, ...extra]) {
      const best = new Map();
      for (const [other, surely] of meant(word)) {
        used.add(other);
        if (!added) own.add(other);
        const there = places.get(other), rare = Math.log(1 + entries.length / there.length);
        for (const entry of there) {
          const count = entry.counts.get(other);
          const score = (surely * share * rare * count * 2.2) / (count + 0.6 + 0.6 * (entry.length / mean));
          if (score > (best.get(entry) ?? 0)) best.set(entry, score);
        }
      }
      for (const [entry, score] of best) {
        const sum = scores.get(entry) ?? { score: 0, terms: 0 };
        scores.set(entry, { score: sum.score + score, terms: sum.terms + !added });
      }
    }
    const phrase = asked.join(" "), name = query.trim().toLowerCase().replace(/[()]/g, "");
    const found = [];
    for (const [entry, { score, terms: matched }] of scores) {
      const title = whole(entry.title).join(" "), part = (matched / terms.length) ** 2;
      let value = score * entry.weight * (0.15 + part);
      if (asked.length > 1 && ` ${whole(entry.text).join(" ")} `.includes(` ${phrase} `)) value *= 1.4;
      if (title === phrase) value *= 2;
      if (entry.kind === "name" && (entry.anchor.toLowerCase() === name || entry.anchor.toLowerCase().endsWith(`.${name}`))) value *= 6 / entry.anchor.split(".").length;
      if (entry.kind === "equation" && (entry.anchor.toLowerCase() === `equation-${name}` || entry.title.match(/\((.*?)\)/)?.[1].toLowerCase() === name)) value *= 4;
      found.push({ entry, value });
    }
    found.sort((a, b) => b.value - a.value || (a.entry.address < b.entry.address ? -1 : 1));
    const pinned = rows.map((row) => entries.find((entry) => entry.address === row.at)).filter(Boolean);
    const order = [...new Set([...pinned, ...found.map(({ entry }) => entry)])];
    return { found: spread(order), used, own, ours: extra.map(({ word }) => word), rows };
  }
  function spread(order) { // what is more of a page than a few stands below the first ones of other pages
    const seen = new Map(), first = [], rest = [];
    for (const entry of order) {
      const count = (seen.get(entry.name) ?? 0) + 1;
      seen.set(entry.name, count);
      (count <= A_PAGE ? first : rest).push(entry);
    }
    return [...first, ...rest];
  }

  // --- what is shown
  const make = (tag, name, ...inner) => {
    const it = document.createElement(tag);
    if (name) it.className = name;
    it.append(...inner);
    return it;
  };
  const PIECES = /([\p{L}\p{N}_]+)/gu;
  const marked = (text, used) => text.split(PIECES).map((piece) => (words(piece).some((word) => used.has(word)) ? make("mark", "", piece) : piece));
  function excerpt(text, used) {
    const pieces = text.split(PIECES), hits = pieces.map((piece) => words(piece).filter((word) => used.has(word)).length);
    let best = 0, most = -1;
    for (let k = 0; k < pieces.length; k += 6) { // windows of some 35 words
      const sum = new Set(pieces.slice(k, k + 70).filter((_, n) => hits[k + n]).map((p) => p.toLowerCase())).size;
      if (sum > most) [best, most] = [k, sum];
    }
    const shown = pieces.slice(best, best + 70).join("").trim();
    return [best ? "… " : "", ...marked(shown, used), best + 70 < pieces.length ? " …" : ""];
  }
  const KIND = { name: "API", equation: "equation", word: "glossary" };
  function show(entry, { used: all, own }) {
    const used = [...entry.counts.keys()].some((word) => own.has(word)) ? own : all;
    const link = make("a", "", ...marked(entry.title || entry.page, used));
    link.href = root + entry.address;
    const way = [entry.part, entry.kind === "page" ? "" : entry.page, KIND[entry.kind] ?? ""].filter(Boolean)
      .filter((step, k, all) => !all.slice(0, k).some((other) => other.toLowerCase() === step.toLowerCase())).join(" › ");
    return make("li", "", link, make("p", "search-way", way), ...(entry.text ? [make("p", "search-excerpt", ...excerpt(entry.text, used))] : []));
  }
  function similar(query) { // words of the site that are not far from what was typed
    const all = whole(query).filter((word) => word.length > 3);
    return [...new Set(all.flatMap((word) => [...places.keys()]
      .map((other) => [other, near(word, other, 3)]).filter(([, away]) => away <= 3 && away < word.length / 2)
      .sort((a, b) => a[1] - b[1]).slice(0, 3).map(([other]) => other)))];
  }

  let shown = 0;
  function run() {
    const query = box.value.trim(), began = performance.now();
    list.replaceChildren();
    hints.hidden = Boolean(query);
    told.textContent = "";
    document.getElementById("search-more")?.remove();
    if (!query) return;
    const result = search(query), { found, ours, rows } = result;
    const add = () => {
      list.append(...found.slice(shown, shown + STEP).map((entry) => show(entry, result)));
      shown = list.childElementCount;
    };
    shown = 0;
    add();
    if (!found.length) {
      hints.hidden = false;
      const guesses = similar(query);
      told.textContent = `Nothing matches “${query}”.${guesses.length ? " Did you mean: " : ""}`;
      guesses.forEach((word, k) => {
        const link = make("a", "", word);
        link.href = `?q=${encodeURIComponent(word)}`;
        told.append(k ? ", " : "", link);
      });
      return;
    }
    const also = rows.length && ours.length ? `; also searched for: ${ours.join(", ")}` : "";
    told.textContent = `${found.length} ${found.length === 1 ? "place" : "places"}${also}`;
    list.dataset.milliseconds = (performance.now() - began).toFixed(0);
    if (found.length > STEP) {
      const more = make("button", "search-more", "More");
      more.id = "search-more";
      more.type = "button";
      more.addEventListener("click", () => {
        const next = shown;
        add();
        list.children[next]?.querySelector("a").focus();
        if (shown >= found.length) more.remove();
      });
      list.after(more);
    }
  }

  let wait = 0;
  box.addEventListener("input", () => {
    clearTimeout(wait);
    wait = setTimeout(() => {
      try { history.replaceState(null, "", `?q=${encodeURIComponent(box.value)}`); } catch { /* a file's address stays */ }
      run();
    }, 120);
  });
  box.form.addEventListener("submit", (event) => {
    event.preventDefault();
    run();
    list.querySelector("a")?.focus();
  });
  box.value = new URLSearchParams(location.search).get("q") ?? "";
  if (!box.value) box.focus({ preventScroll: true });
  run();
})();
