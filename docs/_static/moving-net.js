// Step through the unrolled net: buttons, arrow keys, or a click on a box. The picture itself is in the page,
// whole; what is later than the step shown is hidden here, and what is computed is said in words.
"use strict";
(() => {
  const WAIT = 1500; // milliseconds a step is shown while playing
  const start = (figure) => {
    const steps = JSON.parse(figure.querySelector(".moving-data").textContent);
    const parts = [...figure.querySelectorAll("[data-step]")];
    const boxes = [...figure.querySelectorAll("[data-at]")];
    const said = figure.querySelector(".moving-said");
    const count = figure.querySelector(".moving-count");
    const button = (name) => figure.querySelector(`[data-do=${name}]`);
    let at = 0;
    let timer = 0;

    const element = (tag, name, text) => {
      const made = document.createElement(tag);
      made.className = name;
      made.textContent = text;
      return made;
    };
    const say = () => {
      if (!at) {
        said.replaceChildren("Start: the inputs and the initial states are given. Nothing is computed yet.");
        return;
      }
      const [title, rows] = steps[at - 1];
      const lines = rows.map(([name, value], k) => {
        const row = element("span", k === rows.length - 1 ? "row last" : "row", "");
        const end = k === rows.length - 1 ? "." : ";";
        row.append(element("span", "name", name), element("span", "value", ` = ${value}${end} `));
        return row;
      });
      said.replaceChildren(element("strong", "", `${title}: `), ...lines);
    };
    const show = (k) => {
      at = Math.min(Math.max(k, 0), steps.length);
      for (const part of parts) {
        const step = Number(part.dataset.step);
        part.classList.toggle("later", step > at);
        part.classList.toggle("now", step === at);
      }
      for (const box of boxes) box.classList.toggle("now", box.dataset.at.split(" ").includes(String(at)));
      count.textContent = `Step ${at} of ${steps.length}`;
      for (const name of ["first", "back"]) off(button(name), at === 0);
      off(button("next"), at === steps.length);
      say();
    };
    // A button that is off keeps the focus, so that the keyboard does not lose its place.
    const off = (made, is) => made.setAttribute("aria-disabled", String(is));
    const stop = () => {
      clearInterval(timer);
      timer = 0;
      button("play").textContent = "Play";
    };
    const play = () => {
      if (timer) return stop();
      if (at === steps.length) show(0);
      button("play").textContent = "Pause";
      timer = setInterval(() => {
        show(at + 1);
        if (at === steps.length) stop();
      }, WAIT);
    };
    const go = { first: () => show(0), back: () => show(at - 1), next: () => show(at + 1), last: () => show(steps.length) };
    const keys = { ArrowRight: "next", ArrowUp: "next", ArrowLeft: "back", ArrowDown: "back", Home: "first", End: "last" };

    figure.addEventListener("click", (event) => {
      const name = event.target.dataset.do;
      if (name === "play") return play();
      const places = event.target.dataset.at;
      if (!go[name] && !places) return;
      stop();
      if (name) return go[name]();
      const [there, back] = places.split(" ").map(Number);
      show(at === there ? back : there);
    });
    figure.addEventListener("keydown", (event) => {
      const name = keys[event.key];
      if (!name || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      stop();
      go[name]();
    });
    figure.classList.add("steps");
    figure.querySelector(".moving-controls").hidden = false;
    said.hidden = false;
    count.textContent = `${steps.length} steps`; // till the first press the picture is whole
    said.textContent = "The whole run is shown.";
  };
  document.querySelectorAll(".moving-net").forEach(start);
})();
