// Contributions to a gradient, for a net whose spectral radius, length and truncation a reader sets.
"use strict";

// The triangle of one tanh layer under a linear readout, as bptt.contributions defines it: place (t, s) is the
// length of the gradient of step t's squared error by the weights as step s uses them. Steps count from 0.
function contributions(net, rho, T, k) {
  const n = net.w.length;
  const range = (m, f) => Array.from({ length: m }, (_, i) => f(i));
  const dot = (p, q) => p.reduce((sum, v, i) => sum + v * q[i], 0);
  const u = net.u.map((row) => row.map((v) => rho * v));

  const a = [range(n, () => 0)]; // a[t] is the state before step t
  for (let t = 0; t < T; t++) { // (FWD)
    const z = range(n, (j) => net.x[t] * net.w[j] + range(n, (i) => a[t][i] * u[i][j]).reduce((p, q) => p + q));
    a.push(z.map(Math.tanh));
  }
  const slope = range(T, (t) => a[t + 1].map((v) => 1 - v * v));
  const error = range(T, (t) => dot(a[t + 1], net.readout) - net.y[t]);

  const place = range(T, () => range(T, () => 0));
  const whole = range(T, () => range(n, () => 0)); // the errors of all costs, at each step
  const kept = range(T, () => range(n, () => 0)); // of those at most k - 1 steps later
  for (let t = 0; t < T; t++) {
    let delta = slope[t].map((v, i) => v * net.readout[i] * error[t]); // (BP1), and below it
    for (let s = t; s >= 0; s--) {
      const used = net.x[s] ** 2 + dot(a[s], a[s]) + 1; // by w, by u, by b
      const own = s === t ? error[t] ** 2 * (dot(a[t + 1], a[t + 1]) + 1) : 0; // the readout's
      place[t][s] = Math.sqrt(dot(delta, delta) * used + own);
      delta.forEach((v, i) => {
        whole[s][i] += v;
        if (t - s < k) kept[s][i] += v;
      });
      if (s) delta = u.map((row, i) => slope[s - 1][i] * dot(row, delta)); // (BP2)
    }
  }
  const flat = (deltas) => { // (BP3), (BP4): sums over time
    const sum = (f) => deltas.reduce((total, d, s) => total + f(d, s), 0);
    const parts = [];
    for (let j = 0; j < n; j++) {
      parts.push(sum((d) => d[j]), sum((d, s) => net.x[s] * d[j]));
      for (let i = 0; i < n; i++) parts.push(sum((d, s) => a[s][i] * d[j]));
    }
    for (let i = 0; i < n; i++) parts.push(sum((_, s) => a[s + 1][i] * error[s]));
    return [...parts, sum((_, s) => error[s])];
  };
  const [g, h] = [flat(whole), flat(kept)];
  const length = (v) => Math.sqrt(dot(v, v));
  const missing = g.map((v, i) => v - h[i]);
  return { place, norm: length(g), kept: length(h), missing: length(missing) / length(g), cosine: dot(g, h) / (length(g) * length(h)) };
}

if (typeof document !== "undefined") {
  const SVG = "http://www.w3.org/2000/svg";
  const LOW = -6; // the logarithm at which a square is empty
  const HIGH = 4; // and at which it is full
  const start = (figure) => {
    const net = JSON.parse(figure.querySelector(".moving-data").textContent);
    const input = (name) => figure.querySelector(`[name=${name}]`);
    const said = figure.querySelector(".moving-said");
    const drawn = figure.querySelector(".moving-drawn");

    const make = (parent, tag, attributes, text) => {
      const made = document.createElementNS(SVG, tag);
      for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
      if (text) made.textContent = text;
      parent.append(made);
      return made;
    };
    const picture = (label) => make(drawn, "svg", { viewBox: "0 0 300 300", role: "img", "aria-label": label });
    const share = (value) => Math.min(Math.max((Math.log10(value) - LOW) / (HIGH - LOW), 0), 1);

    const squares = (place, T, k) => {
      const svg = picture("The triangle of contributions, one square for each cost and each step of a weight.");
      const [left, top, side] = [22, 4, 272 / T];
      for (let t = 0; t < T; t++) {
        for (let s = 0; s <= t; s++) {
          make(svg, "rect", { class: "square", x: left + s * side, y: top + t * side, width: side, height: side, "fill-opacity": share(place[t][s]).toFixed(3) });
        }
      }
      if (k < T) {
        let path = `M${left} ${top + k * side}`;
        for (let s = 0; s < T - k; s++) path += `H${left + (s + 1) * side}V${top + Math.min(s + 1 + k, T) * side}`;
        make(svg, "path", { class: "stair", d: path });
        make(svg, "text", { class: "stair-text end", x: 294, y: 24 }, "below the stair: left out");
      }
      make(svg, "path", { class: "axis", d: `M${left} ${top}V276H294` });
      make(svg, "text", { class: "end", x: 294, y: 294 }, "weight used at step s \u2192");
      make(svg, "text", { class: "end", x: -4, y: 15, transform: "rotate(-90)" }, "\u2190 cost of step t");
    };
    const bars = (place, T, k) => {
      const svg = picture("The largest contribution at each distance between weight and cost, logarithmic.");
      const [left, bottom, high] = [40, 276, 268];
      for (let power = LOW; power <= HIGH; power += 3) {
        const y = bottom - share(10 ** power) * high;
        make(svg, "text", { class: "end", x: left - 4, y: y + 4 }, power ? `1e${power}`.replace("-", "\u2212") : "1");
        make(svg, "path", { class: "axis", d: `M${left} ${y}H${power === LOW ? 294 : left + 4}` });
      }
      for (let d = 0; d < T; d++) {
        const largest = Math.max(...place.slice(d).map((row, s) => row[s]));
        const width = 254 / T;
        const height = share(largest) * high;
        make(svg, "rect", { class: d < k ? "bar" : "bar out", x: left + d * width + 0.1 * width, y: bottom - height, width: 0.8 * width, height });
      }
      make(svg, "text", { class: "end", x: 294, y: 294 }, "cost later than weight, t \u2212 s \u2192");
    };
    const number = (value) => {
      const text = value === 0 || (value >= 0.01 && value < 1000) ? value.toPrecision(3) : value.toExponential(1);
      return text.replace("-", "\u2212");
    };
    const say = (name, value, last) => {
      const row = document.createElement("span");
      row.className = "row";
      const [left, right] = [document.createElement("span"), document.createElement("span")];
      left.className = "name";
      left.textContent = name;
      right.textContent = ` = ${value}${last ? "." : ";"} `;
      row.append(left, right);
      return row;
    };
    const show = () => {
      const T = Number(input("T").value);
      const rho = Number(input("rho").value);
      const k = Math.min(Number(input("k").value), T);
      const shown = { rho: rho.toFixed(2), T: String(T), k: k < T ? String(k) : `${k}, all of it` };
      for (const [name, text] of Object.entries(shown)) {
        input(name).setAttribute("aria-valuetext", text);
        input(name).previousElementSibling.textContent = text;
      }
      const found = contributions(net, rho, T, k);
      drawn.replaceChildren();
      squares(found.place, T, k);
      bars(found.place, T, k);
      said.replaceChildren(
        say("gradient norm", number(found.norm)),
        say("truncated", k < T ? number(found.kept) : "the same"),
        say("share missing", `${number(100 * found.missing)} %`),
        say("first step, last cost", number(found.place[T - 1][0]), true),
      );
      Object.assign(figure.dataset, { norm: found.norm, kept: found.kept, missing: found.missing, far: found.place[T - 1][0] });
    };
    figure.addEventListener("input", show);
    figure.hidden = false;
    show();
  };
  document.querySelectorAll(".moving-triangle").forEach(start);
}
