// Draws the charts of a page with uPlot, and keeps them moving.
//
//   <section data-charts="/databases/…/charts.json?span=15m">   where the numbers are
//     <figure data-chart="cpu"> … <div class="plot"> … <table class="key"> … <table class="rows">
//
// The numbers are fetched once; the shortest span then grows by what the live stream tells each
// second, longer ones are fetched again at times. What nobody sees is not drawn.
"use strict";

(() => {
  const root = document.querySelector("[data-charts]");
  if (!window.uPlot) return;
  if (!root) {
    // A cluster that was being created is there now.
    document.addEventListener("htmx:afterSettle", () => {
      if (document.querySelector("[data-has-charts]")) location.reload();
    });
    return;
  }

  const CALM_SECONDS = 5;
  const ROWS = 15;
  const RETRY = 5000;
  const BINARY = Array.from({ length: 50 }, (_, power) => 2 ** power);
  const WHOLE = Array.from({ length: 9 }, (_, power) => [1, 2, 5].map((each) => each * 10 ** power)).flat();
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const dark = matchMedia("(prefers-color-scheme: dark)");

  const views = new Map();
  let times = [];
  let series = null;
  let latest = {};
  let drawnAt = 0;
  let loading = false;
  let timer = 0;

  // ---- numbers ----

  async function load() {
    if (loading || document.hidden) return;
    loading = true;
    clearTimeout(timer);
    let found = null;
    try {
      const answer = await fetch(root.dataset.charts, { cache: "no-store", headers: { "poolkeeper-background": "yes" } });
      if (answer.ok && !answer.redirected) found = await answer.json();
    } catch { /* the live stream says so */ }
    loading = false;
    if (found) take(found);
    const again = found?.live ? 0 : found ? Math.min(Math.max(found.step, 10), 60) * 1000 : RETRY;
    if (again) timer = setTimeout(load, again);
  }

  function take(found) {
    series = found;
    const lines = Object.values(found.charts).flatMap((chart) => chart.lines);
    const count = Math.max(...lines.map((line) => line.values.length), 0);
    times = Array.from({ length: count }, (_, index) => found.start + index * found.step);
    for (const view of views.values()) view.take(found.charts[view.id]);
    if (found.live) append(latest);
    show();
    root.dataset.ready = "yes";
  }

  function compute(line, numbers) {
    let total = 0;
    for (const term of line.plus) {
      const value = numbers[term];
      if (value === null || value === undefined) return null;
      total += value;
    }
    for (const term of line.minus) total -= numbers[term] ?? 0;
    return Math.max(total, 0) * line.factor;
  }

  // One more second, or the newest one, of which nothing was known before.
  function append(numbers) {
    const last = times.at(-1);
    if (!numbers.at || last === undefined || numbers.at < last) return;
    if (numbers.at - last > series.span) { load(); return; }
    const isMissed = numbers.at - last > 2;
    for (let time = last + 1; time <= numbers.at; time += 1) times.push(time);
    const gone = Math.max(times.length - series.span, 0);
    times.splice(0, gone);
    for (const view of views.values()) {
      for (const line of view.lines) {
        while (line.values.length < times.length + gone) line.values.push(null);
        line.values.splice(0, gone);
        line.values[times.length - 1] = compute(line, numbers) ?? line.values[times.length - 1];
      }
    }
    // What went by unheard has been sampled all the same.
    if (isMissed) load();
  }

  function show() {
    drawnAt = Date.now();
    for (const view of views.values()) view.isDue = true;
    requestAnimationFrame(() => {
      for (const view of views.values()) view.draw();
    });
  }

  document.addEventListener("poolkeeper:live", (event) => {
    latest = event.detail;
    if (!series?.live) return;
    append(latest);
    if (calm.matches && Date.now() - drawnAt < CALM_SECONDS * 1000 - 500) return;
    show();
  });

  // ---- one chart ----

  class View {
    constructor(figure) {
      this.id = figure.dataset.chart;
      this.figure = figure;
      this.plot = figure.querySelector(".plot");
      this.key = figure.querySelector(".key");
      this.rows = figure.querySelector(".rows");
      this.lines = [];
      this.isSeen = false;
      this.isDue = false;
      this.at = null;
      figure.querySelector("details").addEventListener("toggle", (event) => {
        if (event.target.open && this.chart) this.fillRows();
      });
    }

    take(chart) {
      const before = this.lines.map((line) => line.label).join("\n");
      this.chart = chart;
      this.lines = chart.lines;
      this.at = null;
      if (this.lines.map((line) => line.label).join("\n") !== before) {
        this.fillKey();
        this.discard();
      }
      if (this.figure.querySelector("details").open) this.fillRows();
    }

    discard() {
      this.uplot?.destroy();
      this.uplot = null;
    }

    draw() {
      if (!this.isDue || !this.isSeen || !this.chart || document.hidden) return;
      this.isDue = false;
      const data = [times, ...this.stack()];
      if (this.uplot) this.uplot.setData(data);
      else this.uplot = new uPlot(this.options(), data, this.plot);
      this.word();
    }

    // Parts of a whole stand on each other.
    stack() {
      const fit = (values) => (values.length > times.length ? values.slice(0, times.length) : values);
      if (!this.chart.stacked) return this.lines.map((line) => fit(line.values));
      const parts = this.lines.filter((line) => !line.limit);
      const sums = new Array(times.length).fill(0);
      const known = times.map((_, index) => parts.some((line) => (line.values[index] ?? null) !== null));
      return this.lines.map((line) => {
        if (line.limit) return fit(line.values);
        return times.map((_, index) => {
          sums[index] += line.values[index] ?? 0;
          return known[index] ? sums[index] : null;
        });
      });
    }

    // The end of the axis: round, so that it does not twitch with each number.
    findTop() {
      let most = this.chart.top;
      for (const values of this.stack()) for (const value of values) if (value > most) most = value;
      if (this.chart.kind === "ratio") return 1;
      if (most <= 0) return 1;
      const factor = this.chart.kind === "size" ? 2 ** Math.floor(Math.log2(most)) : 10 ** Math.floor(Math.log10(most));
      const steps = this.chart.kind === "size" ? [1, 1.25, 1.5, 2] : [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10];
      return factor * steps.find((step) => factor * step >= most);
    }

    options() {
      const style = getComputedStyle(this.plot);
      const [muted, line] = [style.color, style.borderTopColor];
      const font = `11px ${style.fontFamily}`;
      const kind = this.chart.kind;
      const axis = { stroke: muted, font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
      return {
        width: this.plot.clientWidth,
        height: this.plot.clientHeight,
        legend: { show: false },
        padding: [8, 8, 0, 0],
        cursor: { y: false, drag: { setScale: false, x: false, y: false }, sync: { key: "charts" }, points: { size: 6 } },
        scales: {
          x: { time: true, range: () => [times[0] ?? 0, (times.at(-1) ?? 1) + (series.live ? 0 : series.step)] },
          y: { range: () => [0, this.findTop()] },
        },
        axes: [
          { ...axis, size: 24, gap: 4, space: 64, values: (_, splits) => splits.map((each) => wordTime(each, false)) },
          {
            ...axis,
            size: 66,
            gap: 6,
            space: 32,
            ...(kind === "size" ? { incrs: BINARY } : kind === "count" ? { incrs: WHOLE } : {}),
            values: (_, splits) => splits.map((each) => wordValue(each, kind)),
          },
        ],
        series: [{}, ...this.lines.map((each, index) => this.style(each, index))],
        bands: this.chart.stacked ? this.listBands() : [],
        hooks: { setCursor: [(uplot) => this.point(uplot.cursor.idx)] },
      };
    }

    colour(index) {
      return getComputedStyle(this.key.tBodies[0].rows[index].querySelector(".swatch")).color;
    }

    style(line, index) {
      const colour = this.colour(index);
      const fill = this.chart.stacked && index === 0 ? fade(colour, 0.5) : !this.chart.stacked && index === 0 ? fade(colour, 0.12) : undefined;
      return {
        label: line.label,
        stroke: colour,
        width: line.limit ? 1 : 1.5,
        dash: line.limit ? [5, 4] : undefined,
        fill: line.limit ? undefined : fill,
        points: { show: true, size: 3, width: 0, fill: colour, filter: (uplot, which) => findLonely(uplot.data[which]) },
      };
    }

    listBands() {
      const bands = [];
      for (let index = 1; index < this.lines.length; index += 1) {
        if (this.lines[index].limit) continue;
        bands.push({ series: [index + 1, index], fill: fade(this.colour(index), 0.5) });
      }
      return bands;
    }

    // The key tells what is under the pointer, else what is now.
    point(index) {
      this.at = index ?? null;
      this.word();
    }

    word() {
      if (!this.chart || !this.key) return;
      const at = this.at === null ? null : Math.min(this.at, times.length - 1);
      put(this.key.tHead.rows[0].cells[1], at === null ? "Now" : wordTime(times[at], true));
      this.lines.forEach((line, index) => {
        const cells = this.key.tBodies[0].rows[index].cells;
        const value = at === null ? line.values.at(-1) ?? line.values.at(-2) : line.values[at];
        put(cells[1], wordValue(value, this.chart.kind));
        const [mean, max] = series.live ? sum(line.values) : [line.mean, line.max];
        put(cells[2], wordValue(mean, this.chart.kind));
        put(cells[3], wordValue(max, this.chart.kind));
      });
    }

    fillKey() {
      const body = this.key.tBodies[0];
      const old = [...body.rows].map((row) => row.cells[0].textContent.trim());
      if (old.join("\n") === this.lines.map((line) => line.label).join("\n")) return;
      const first = body.rows[0].cloneNode(true);
      body.replaceChildren(...this.lines.map((line) => {
        const row = first.cloneNode(true);
        row.querySelector(".swatch").setAttribute("class", `swatch ${line.tone}`);
        row.querySelector(".label").textContent = line.label;
        row.querySelector(".label").title = line.label;
        return row;
      }));
      const heads = [this.rows.tHead.rows[0].cells[0], ...this.lines.map((line) => make("th", line.label, { scope: "col" }))];
      this.rows.tHead.rows[0].replaceChildren(...heads);
    }

    fillRows() {
      const size = Math.max(Math.ceil(times.length / ROWS), 1);
      const rows = [];
      for (let first = 0; first < times.length; first += size) {
        const row = document.createElement("tr");
        row.append(make("th", wordUtc(times[first]), { scope: "row" }));
        for (const line of this.lines) {
          const [mean] = sum(line.values.slice(first, first + size));
          row.append(make("td", wordValue(mean, this.chart.kind), { class: "number" }));
        }
        rows.unshift(row);
      }
      this.rows.tBodies[0].replaceChildren(...rows);
    }
  }

  // ---- words and colours ----

  function put(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  function make(tag, text, attributes) {
    const element = document.createElement(tag);
    element.textContent = text;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  }

  function sum(values) {
    let [total, count, most] = [0, 0, null];
    for (const value of values) {
      if (value === null || value === undefined) continue;
      total += value;
      count += 1;
      if (most === null || value > most) most = value;
    }
    return count ? [total / count, most] : [null, null];
  }

  function wordTime(second, isExact) {
    const moment = new Date(second * 1000);
    const day = moment.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
    const clock = moment.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", ...(isExact && series.step < 60 ? { second: "2-digit" } : {}) });
    if (isExact) return series.span > 86400 ? `${day} ${clock}` : clock;
    return series.span > 86400 ? day : clock;
  }

  function wordUtc(second) {
    return new Date(second * 1000).toISOString().slice(0, 19).replace("T", " ");
  }

  function fade(colour, share) {
    const inner = colour.slice(colour.indexOf("(") + 1, -1);
    return colour.startsWith("rgb(") ? `rgba(${inner}, ${share})` : colour.startsWith("color(") ? `color(${inner} / ${share})` : colour;
  }

  // A point between two gaps is no line; it is drawn as a point.
  function findLonely(values) {
    const found = [];
    for (let index = 0; index < values.length; index += 1) {
      if (values[index] == null) continue;
      if (values[index - 1] == null && values[index + 1] == null) found.push(index);
    }
    return found;
  }

  // ---- what is seen, how large, in which colours ----

  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const view = views.get(entry.target.dataset.chart);
      view.isSeen = entry.isIntersecting;
      view.draw();
    }
  }, { rootMargin: "100px" });

  const sizes = new ResizeObserver((entries) => requestAnimationFrame(() => {
    for (const entry of entries) {
      const { uplot, plot } = views.get(entry.target.closest("figure").dataset.chart);
      if (uplot && plot.clientWidth && uplot.width !== plot.clientWidth) {
        uplot.setSize({ width: plot.clientWidth, height: plot.clientHeight });
      }
    }
  }));

  function recolour() {
    for (const view of views.values()) view.discard();
    show();
  }

  for (const figure of root.querySelectorAll("figure[data-chart]")) {
    const view = new View(figure);
    views.set(view.id, view);
    seen.observe(figure);
    sizes.observe(view.plot);
  }
  dark.addEventListener("change", recolour);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) load(); });

  // Another pool has come or gone: other lines, and other numbers of the live stream.
  document.addEventListener("htmx:afterSettle", () => {
    const stream = document.querySelector("[data-stream-now]")?.dataset.streamNow;
    if (!stream || stream === document.body.dataset.stream) return;
    document.dispatchEvent(new CustomEvent("poolkeeper:stream", { detail: stream }));
    load();
  });
  load();
})();
