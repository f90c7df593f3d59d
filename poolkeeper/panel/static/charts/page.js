// The charts of a page: what is seen is drawn, and drawn again when there is more.
//
//   <section data-charts="/databases/…/charts.json?span=15m">   where the numbers are
//     <figure data-chart="cpu"> … <div class="plot"> … <table class="key"> … <table class="rows">
"use strict";

function drawCharts(root) {
  const CALM_SECONDS = 5;
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const dark = matchMedia("(prefers-color-scheme: dark)");

  const views = new Map();
  const numbers = new ChartNumbers(root.dataset.charts, () => {
    for (const view of views.values()) view.take(numbers.charts[view.id]);
    show();
    root.dataset.ready = "yes";
  });
  let drawnAt = 0;

  class View {
    constructor(figure) {
      this.id = figure.dataset.chart;
      this.place = figure.querySelector(".plot");
      this.key = new ChartKey(figure, numbers);
      this.plot = new ChartPlot(this.place, numbers, (index) => this.key.colour(index), (index) => this.point(index));
      this.chart = null;
      this.isSeen = false;
      this.isDue = false;
      this.at = null;
    }

    take(chart) {
      this.chart = chart;
      this.at = null;
      if (this.key.take(chart)) this.plot.discard();
    }

    draw() {
      if (!this.isDue || !this.isSeen || !this.chart || document.hidden) return;
      this.isDue = false;
      this.plot.draw(this.chart);
      this.key.word(this.at);
    }

    // The key tells what is under the pointer, else what is now.
    point(index) {
      this.at = index;
      this.key.word(index);
    }
  }

  function show() {
    drawnAt = Date.now();
    for (const view of views.values()) view.isDue = true;
    requestAnimationFrame(() => {
      for (const view of views.values()) view.draw();
    });
  }

  document.addEventListener("poolkeeper:live", (event) => {
    if (!numbers.isLive) {
      numbers.latest = event.detail;
      return;
    }
    numbers.append(event.detail);
    if (calm.matches && Date.now() - drawnAt < CALM_SECONDS * 1000 - 500) return;
    show();
  });

  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const view = views.get(entry.target.dataset.chart);
      view.isSeen = entry.isIntersecting;
      view.draw();
    }
  }, { rootMargin: "100px" });

  const sizes = new ResizeObserver((entries) => requestAnimationFrame(() => {
    for (const entry of entries) views.get(entry.target.closest("figure").dataset.chart).plot.fit();
  }));

  for (const figure of root.querySelectorAll("figure[data-chart]")) {
    const view = new View(figure);
    views.set(view.id, view);
    seen.observe(figure);
    sizes.observe(view.place);
  }
  function repaint() {
    for (const view of views.values()) view.plot.discard();
    show();
  }
  dark.addEventListener("change", repaint);
  document.addEventListener("poolkeeper:theme", repaint);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) numbers.load(); });

  // Another pool has come or gone: other lines, and other numbers of the live stream.
  function follow() {
    const stream = document.querySelector("[data-stream-now]")?.dataset.streamNow;
    if (!stream || stream === document.body.dataset.stream) return;
    document.dispatchEvent(new CustomEvent("poolkeeper:stream", { detail: stream }));
    numbers.load();
  }
  follow();
  document.addEventListener("htmx:afterSettle", follow);
  numbers.load();
}

if (window.uPlot) {
  // A cluster that is being created has its charts once it is there.
  const begin = () => {
    const root = document.querySelector("[data-charts]");
    if (!root) return;
    document.removeEventListener("htmx:afterSettle", begin);
    drawCharts(root);
  };
  document.addEventListener("htmx:afterSettle", begin);
  begin();
}
