"use strict";
// Draws the samples of an evaluation: the spikes and a state of one population, tick by tick.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const COLOURS = ["#2563eb", "#ea7317", "#16a34a", "#dc2626", "#7c3aed", "#0891b2", "#ca8a04", "#db2777", "#78716c", "#65a30d"];
  const LEFT = 66, RIGHT = 10, TOP = 8, BOTTOM = 34;
  const chosen = { sample: 0, population: data.output, state: 0 };

  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const name = (index) => data.class_names[index];
  const population = () => data.populations.find((p) => p.name === chosen.population);
  const sample = () => data.samples[chosen.sample];

  // spikes of a population, or values of a graded input: value(tick, neuron)
  function spikes(of) {
    const packed = bytes(sample().spikes[of.name]);
    if (of.name === "input" && data.input_bits > 1) return (t, n) => packed[t * of.size + n];
    return (t, n) => (packed[(t * of.size + n) >> 3] >> ((t * of.size + n) & 7)) & 1;
  }
  function states(of, state) {
    const raw = bytes(sample().states[of.name][state]);
    const values = new Int32Array(raw.buffer);
    return (t, k) => values[t * of.neurons.length + k];
  }

  // A canvas as sharp as the screen, cleared; its drawing area, and functions from tick and value to pixels.
  function start(id, low, high) {
    const canvas = $(id), scale = window.devicePixelRatio || 1;
    const width = canvas.clientWidth, height = Number(canvas.dataset.height);
    canvas.style.height = `${height}px`;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const context = canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.font = "12px system-ui, sans-serif";
    const w = width - LEFT - RIGHT, h = height - TOP - BOTTOM;
    const x = (t) => LEFT + ((t + 0.5) / data.ticks) * w;
    const y = (v) => TOP + h - ((v - low) / (high - low || 1)) * h;
    return { canvas, context, w, h, x, y, low, high };
  }
  // Whole numbers, at most `count` of them, in steps of 1, 2 or 5 times a power of ten.
  function marks(low, high, count) {
    let step;
    for (let power = 1; !step; power *= 10) step = [1, 2, 5].map((f) => f * power).find((f) => (high - low) / f <= count);
    const result = [];
    for (let v = Math.ceil(low / step) * step; v <= high; v += step) result.push(v || 0);
    return result;
  }
  function axes(p, unit, names) {
    const { context: c } = p;
    c.fillStyle = css("--muted");
    c.strokeStyle = css("--grid");
    c.lineWidth = 1;
    c.textAlign = "right";
    c.textBaseline = "middle";
    for (const v of marks(p.low, p.high, Math.max(2, p.h / (names ? 18 : 36)))) {
      c.beginPath(); c.moveTo(LEFT, p.y(v)); c.lineTo(LEFT + p.w, p.y(v)); c.stroke();
      c.fillText(names ? names[v].slice(0, 8) : v.toLocaleString("en"), LEFT - 6, p.y(v));
    }
    c.textAlign = "center";
    c.textBaseline = "top";
    for (const t of marks(0, data.ticks - 1, Math.max(2, p.w / 56))) c.fillText(t, p.x(t), TOP + p.h + 4);
    c.fillText("tick", LEFT + p.w / 2, TOP + p.h + 19);
    c.save(); c.translate(11, TOP + p.h / 2); c.rotate(-Math.PI / 2); c.textBaseline = "middle"; c.fillText(unit, 0, 0); c.restore();
  }

  function raster() {
    const of = population(), value = spikes(of);
    const p = start("raster", -0.5, of.size - 0.5);
    const { context: c } = p, output = of.name === data.output && of.size <= COLOURS.length;
    axes(p, of.name === "input" ? "input" : output ? "class" : "neuron", output ? data.class_names : null);
    const tall = Math.max(1.5, Math.min(p.h / of.size * 0.8, 14)), wide = Math.max(1, Math.min(p.w / data.ticks * 0.6, 5));
    const most = 2 ** data.input_bits - 1;
    let count = 0;
    for (let t = 0; t < data.ticks; t++) for (let n = 0; n < of.size; n++) {
      const v = value(t, n);
      if (!v) continue;
      count++;
      c.globalAlpha = of.name === "input" ? 0.25 + 0.75 * v / most : 1;
      c.fillStyle = output ? COLOURS[n] : css(of.name === "input" ? "--muted" : "--blue");
      c.fillRect(p.x(t) - wide / 2, p.y(n) - tall / 2, wide, tall);
    }
    c.globalAlpha = 1;
    $("raster-title").textContent = `${of.name}: ${count.toLocaleString("en")} spikes of ${of.size.toLocaleString("en")} ${of.name === "input" ? "inputs" : "neurons"}`;
    $("raster").setAttribute("aria-label", $("raster-title").textContent);
    p.canvas.onpointermove = (event) => {
      const [t, n] = place(p, event);
      $("readout").textContent = t < 0 || n < 0 || n >= of.size ? "" :
        `tick ${t}, ${of.name} ${n}${output ? ` (${name(n)})` : ""}: ${value(t, n) ? (data.input_bits > 1 && of.name === "input" ? value(t, n) : "spike") : "no spike"}`;
    };
  }
  function place(p, event) {
    const box = p.canvas.getBoundingClientRect();
    const t = Math.floor(((event.clientX - box.left - LEFT) / p.w) * data.ticks);
    const v = Math.round(p.low + ((TOP + p.h - (event.clientY - box.top)) / p.h) * (p.high - p.low));
    return [t >= 0 && t < data.ticks ? t : -1, v];
  }

  function trace() {
    const of = population();
    if (of.name === "input") return inputs(of);
    const state = of.states[chosen.state], value = states(of, state), size = of.neurons.length;
    let low = 0, high = 0;
    for (let t = 0; t < data.ticks; t++) for (let k = 0; k < size; k++) {
      low = Math.min(low, value(t, k)); high = Math.max(high, value(t, k));
    }
    const limit = state === "membrane" ? of.threshold : null;
    if (limit !== null) high = Math.max(high, limit);
    const some = size < of.size ? `, the ${size} of ${of.size.toLocaleString("en")} neurons that spike most` : "";
    $("trace-title").textContent = `${of.name}: ${state} at the end of each tick${some}`;
    $("trace").setAttribute("aria-label", $("trace-title").textContent);
    if (size > COLOURS.length) return heat(of, value, size, Math.max(-low, high, 1));
    const p = start("trace", low, high === low ? low + 1 : high);
    axes(p, state);
    const { context: c } = p;
    if (limit !== null) {
      c.setLineDash([4, 3]); c.strokeStyle = css("--ink");
      c.beginPath(); c.moveTo(LEFT, p.y(limit)); c.lineTo(LEFT + p.w, p.y(limit)); c.stroke(); c.setLineDash([]);
    }
    for (let k = 0; k < size; k++) {
      c.strokeStyle = COLOURS[k]; c.lineWidth = 1.6; c.beginPath();
      for (let t = 0; t < data.ticks; t++) c.lineTo(p.x(t), p.y(value(t, k)));
      c.stroke();
    }
    p.canvas.onpointermove = (event) => {
      const [t, v] = place(p, event);
      if (t < 0) return;
      let best = 0;
      for (let k = 1; k < size; k++) if (Math.abs(value(t, k) - v) < Math.abs(value(t, best) - v)) best = k;
      const n = of.neurons[best];
      $("readout").textContent = `tick ${t}, neuron ${n}${of.name === data.output ? ` (${name(n)})` : ""}: ${state} ${value(t, best).toLocaleString("en")}`;
    };
  }
  // Many neurons: a row each, red above 0 and blue below.
  function heat(of, value, size, bound) {
    const p = start("trace", -0.5, size - 0.5);
    const { context: c } = p, wide = p.w / data.ticks, tall = p.h / size;
    for (let t = 0; t < data.ticks; t++) for (let k = 0; k < size; k++) {
      const v = value(t, k) / bound;
      if (!v) continue;
      c.globalAlpha = Math.min(1, Math.abs(v));
      c.fillStyle = v > 0 ? css("--red") : css("--blue");
      c.fillRect(LEFT + t * wide, p.y(k) - tall / 2, wide + 0.5, tall + 0.5);
    }
    c.globalAlpha = 1;
    axes(p, size < of.size ? "row" : "neuron");
    p.canvas.onpointermove = (event) => {
      const [t, k] = place(p, event);
      $("readout").textContent = t < 0 || k < 0 || k >= size ? "" :
        `tick ${t}, neuron ${of.neurons[k]}: ${of.states[chosen.state]} ${value(t, k).toLocaleString("en")}`;
    };
  }
  // The input as a picture, where it is one, else its events in each tick.
  function inputs(of) {
    const value = spikes(of);
    if (of.picture) {
      const [rows, columns] = of.picture, channels = of.size / (rows * columns);
      const sums = new Float64Array(rows * columns);
      for (let t = 0; t < data.ticks; t++) for (let n = 0; n < of.size; n++)
        sums[Math.floor(n / channels)] += value(t, n) * (data.ticks - t);
      const most = Math.max(...sums, 1);
      $("trace-title").textContent = "input as a picture: strong is early and often";
      const p = start("trace", 0, 1), side = Math.min((p.h + BOTTOM - 4) / rows, (p.w + LEFT) / columns);
      p.context.fillStyle = css("--ink");
      for (let n = 0; n < sums.length; n++) {
        p.context.globalAlpha = sums[n] / most;
        p.context.fillRect((n % columns) * side, TOP + Math.floor(n / columns) * side, side + 0.3, side + 0.3);
      }
      p.context.globalAlpha = 1;
      p.context.strokeStyle = css("--line");
      p.context.strokeRect(0.5, TOP + 0.5, columns * side, rows * side);
      p.canvas.onpointermove = null;
      return;
    }
    const counts = Array.from({ length: data.ticks }, (_, t) => {
      let sum = 0;
      for (let n = 0; n < of.size; n++) sum += value(t, n) ? 1 : 0;
      return sum;
    });
    $("trace-title").textContent = "input: events in each tick";
    const p = start("trace", 0, Math.max(...counts, 1));
    axes(p, "events");
    p.context.fillStyle = css("--muted");
    const wide = Math.max(1, p.w / data.ticks * 0.8);
    counts.forEach((count, t) => p.context.fillRect(p.x(t) - wide / 2, p.y(count), wide, p.y(0) - p.y(count)));
    p.canvas.onpointermove = (event) => {
      const [t] = place(p, event);
      $("readout").textContent = t < 0 ? "" : `tick ${t}: ${counts[t]} events`;
    };
  }

  function scores() {
    const { scores, label } = sample(), most = Math.max(...scores.map(Math.abs), 1);
    const by = data.populations.find((p) => p.name === data.output).by_membrane;
    $("scores-title").textContent = by ? "score of each class: membrane, summed over the ticks" : "score of each class: spikes";
    const order = scores.map((_, i) => i);
    if (scores.length > 20) order.sort((a, b) => scores[b] - scores[a]).splice(20);
    $("scores").replaceChildren(...order.map((index) => {
      const row = document.createElement("div"), title = document.createElement("span"), bar = document.createElement("i"), number = document.createElement("span");
      row.className = (index === sample().class ? "answer" : "") + (index === label && index !== sample().class ? " label" : "");
      title.textContent = name(index);
      if (scores.length <= COLOURS.length) bar.style.background = COLOURS[index];
      bar.style.width = `${100 * Math.max(0, scores[index]) / most}%`;
      number.textContent = scores[index].toLocaleString("en");
      row.append(title, bar, number);
      return row;
    }));
  }

  function draw() {
    const { index, label } = sample(), answer = sample().class;
    const right = label === null || label === answer;
    const verdict = $("verdict");
    verdict.textContent = `Sample ${index}: class ${name(answer)}${label === null ? "" : right ? ", which is right" : `, but its label is ${name(label)}`}.`;
    verdict.className = label === null ? "" : right ? "ok" : "bad";
    $("readout").textContent = "";
    const list = visible(), place = list.indexOf(chosen.sample);
    $("before").disabled = place <= 0;
    $("after").disabled = place >= list.length - 1;
    $("sample").value = chosen.sample;
    $("state").disabled = chosen.population === "input";
    raster();
    trace();
    scores();
  }
  const isWrong = (s) => s.label !== null && s.label !== s.class;
  const visible = () => data.samples.map((s, i) => i).filter((i) => !$("wrong").checked || isWrong(data.samples[i]));
  function fill(select, entries) {
    select.replaceChildren(...entries.map(([value, text]) => new Option(text, value)));
  }
  function samples() {
    fill($("sample"), visible().map((i) => {
      const s = data.samples[i];
      return [i, `${s.index}: ${s.label === null ? name(s.class) : isWrong(s) ? `${name(s.label)} ✗ ${name(s.class)}` : `${name(s.label)} ✓`}`];
    }));
  }
  function stateNames() {
    chosen.state = 0;
    fill($("state"), population().states.map((state, i) => [i, state]));
  }
  function step(by) {
    const list = visible();
    chosen.sample = list[list.indexOf(chosen.sample) + by];
    draw();
  }
  fill($("population"), data.populations.map((p) => [p.name, p.name]));
  $("population").value = chosen.population;
  const firstWrong = data.samples.findIndex(isWrong);
  $("wrong").disabled = firstWrong < 0;
  chosen.sample = Math.max(0, firstWrong);
  samples();
  stateNames();
  $("sample").onchange = (e) => { chosen.sample = Number(e.target.value); draw(); };
  $("population").onchange = (e) => { chosen.population = e.target.value; stateNames(); draw(); };
  $("state").onchange = (e) => { chosen.state = Number(e.target.value); draw(); };
  $("wrong").onchange = () => { samples(); const list = visible(); if (!list.includes(chosen.sample)) chosen.sample = list[0]; draw(); };
  $("before").onclick = () => step(-1);
  $("after").onclick = () => step(1);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  addEventListener("resize", draw);
  addEventListener("beforeprint", draw);
  draw();
})();
