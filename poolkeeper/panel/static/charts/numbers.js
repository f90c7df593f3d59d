// The numbers of a page's charts. They are fetched once; the shortest span then grows by what the
// live stream tells each second, longer ones are fetched again at times.
"use strict";

const ChartNumbers = (() => {
  const RETRY = 5000;

  function compute(line, latest) {
    let total = 0;
    for (const term of line.plus) {
      const value = latest[term];
      if (value === null || value === undefined) return null;
      total += value;
    }
    for (const term of line.minus) total -= latest[term] ?? 0;
    return Math.max(total, 0) * line.factor;
  }

  // All points of a line come as one text; nothing between two commas is a gap.
  function readPoints(text) {
    return text ? text.split(",").map((point) => (point ? Number(point) : null)) : [];
  }

  return class {
    // `onLoad` is called when all numbers are others.
    constructor(address, onLoad) {
      this.address = address;
      this.onLoad = onLoad;
      this.times = [];
      this.span = this.step = 0;
      this.isLive = false;
      this.charts = {};
      this.latest = {};
      this.isLoading = false;
      this.isOutdated = false;
      this.timer = 0;
    }

    async load() {
      // What is on its way may be from before the reason to ask again.
      this.isOutdated = this.isLoading;
      if (this.isLoading || document.hidden || document.body.dataset.gone) return;
      this.isLoading = true;
      clearTimeout(this.timer);
      let found = null;
      try {
        const answer = await fetch(this.address, { cache: "no-store", headers: { "poolkeeper-background": "yes" } });
        if (answer.ok && !answer.redirected) found = await answer.json();
      } catch { /* the live stream says so */ }
      this.isLoading = false;
      if (found) this.take(found);
      if (this.isOutdated) { this.load(); return; }
      const again = found?.live ? 0 : found ? Math.min(Math.max(found.step, 10), 60) * 1000 : RETRY;
      if (again) this.timer = setTimeout(() => this.load(), again);
    }

    take(found) {
      [this.span, this.step, this.isLive, this.charts] = [found.span, found.step, found.live, found.charts];
      for (const line of this.listLines()) line.values = readPoints(line.values);
      const count = Math.max(...this.listLines().map((line) => line.values.length), 0);
      this.times = Array.from({ length: count }, (_, index) => found.start + index * found.step);
      if (this.isLive) this.append(this.latest);
      this.onLoad();
    }

    listLines() {
      return Object.values(this.charts).flatMap((chart) => chart.lines);
    }

    // One more second, or the newest one, of which nothing was known before.
    append(latest) {
      const { times } = this;
      const last = times.at(-1);
      this.latest = latest;
      if (!latest.at || last === undefined || latest.at < last) return;
      if (latest.at - last > this.span) { this.load(); return; }
      const isMissed = latest.at - last > 2;
      for (let time = last + 1; time <= latest.at; time += 1) times.push(time);
      const gone = Math.max(times.length - this.span, 0);
      times.splice(0, gone);
      for (const line of this.listLines()) {
        while (line.values.length < times.length + gone) line.values.push(null);
        line.values.splice(0, gone);
        line.values[times.length - 1] = compute(line, latest) ?? line.values[times.length - 1];
      }
      // What went by unheard has been sampled all the same.
      if (isMissed) this.load();
    }
  };
})();
