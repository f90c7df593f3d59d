// One chart as a drawing: what uPlot is told.
"use strict";

// A moment as an axis words it, or exactly; in UTC like all that is written on pages.
function wordMoment(second, { span, step }, isExact) {
  const moment = new Date(second * 1000);
  const day = moment.toLocaleDateString("en-GB", { timeZone: "UTC", day: "numeric", month: "short" });
  const clock = moment.toLocaleTimeString("en-GB", { timeZone: "UTC", hour: "2-digit", minute: "2-digit", ...(isExact && step < 60 ? { second: "2-digit" } : {}) });
  if (isExact) return span > 86400 ? `${day} ${clock}` : clock;
  return span > 86400 ? day : clock;
}

const ChartPlot = (() => {
  const BINARY = Array.from({ length: 50 }, (_, power) => 2 ** power);
  const WHOLE = Array.from({ length: 9 }, (_, power) => [1, 2, 5].map((each) => each * 10 ** power)).flat();

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

  return class {
    // `colour(index)`: of that line. `onPoint(index)`: the pointer is there, or nowhere.
    constructor(place, numbers, colour, onPoint) {
      this.place = place;
      this.numbers = numbers;
      this.colour = colour;
      this.onPoint = onPoint;
      this.uplot = null;
    }

    draw(chart) {
      this.chart = chart;
      const data = [this.numbers.times, ...this.stack()];
      if (this.uplot) this.uplot.setData(data);
      else this.uplot = new uPlot(this.options(), data, this.place);
    }

    // The next drawing starts anew: with other lines, or in other colours.
    discard() {
      this.uplot?.destroy();
      this.uplot = null;
    }

    fit() {
      const { uplot, place } = this;
      if (!uplot || !place.clientWidth || uplot.width === place.clientWidth) return;
      uplot.setSize({ width: place.clientWidth, height: place.clientHeight });
    }

    // Parts of a whole stand on each other.
    stack() {
      const { times } = this.numbers;
      const { lines } = this.chart;
      const cut = (values) => (values.length > times.length ? values.slice(0, times.length) : values);
      if (!this.chart.stacked) return lines.map((line) => cut(line.values));
      const parts = lines.filter((line) => !line.limit);
      const sums = new Array(times.length).fill(0);
      const known = times.map((_, index) => parts.some((line) => (line.values[index] ?? null) !== null));
      return lines.map((line) => {
        if (line.limit) return cut(line.values);
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

    findEnds() {
      const { times, isLive, step } = this.numbers;
      return [times[0] ?? 0, (times.at(-1) ?? 1) + (isLive ? 0 : step)];
    }

    options() {
      const { kind, lines, stacked } = this.chart;
      return {
        width: this.place.clientWidth,
        height: this.place.clientHeight,
        legend: { show: false },
        tzDate: (second) => uPlot.tzDate(new Date(second * 1000), "Etc/UTC"),
        padding: [8, 8, 0, 0],
        cursor: { y: false, drag: { setScale: false, x: false, y: false }, sync: { key: "charts" }, points: { size: 6 } },
        scales: {
          x: { time: true, range: () => this.findEnds() },
          y: { range: () => [0, this.findTop()] },
        },
        axes: this.axes(kind),
        series: [{}, ...lines.map((each, index) => this.style(each, index))],
        bands: stacked ? this.bands() : [],
        hooks: { setCursor: [(uplot) => this.onPoint(uplot.cursor.idx ?? null)] },
      };
    }

    axes(kind) {
      const style = getComputedStyle(this.place);
      const [muted, line] = [style.color, style.borderTopColor];
      const axis = { stroke: muted, font: `11px ${style.fontFamily}`, grid: { stroke: line, width: 1 }, ticks: { show: false } };
      return [
        { ...axis, size: 24, gap: 4, space: 64, values: (_, splits) => splits.map((each) => wordMoment(each, this.numbers, false)) },
        {
          ...axis,
          size: 66,
          gap: 6,
          space: 32,
          ...(kind === "size" ? { incrs: BINARY } : kind === "count" ? { incrs: WHOLE } : {}),
          values: (_, splits) => splits.map((each) => wordValue(each, kind)),
        },
      ];
    }

    style(line, index) {
      const colour = this.colour(index);
      const fill = index === 0 ? fade(colour, this.chart.stacked ? 0.5 : 0.12) : undefined;
      return {
        label: line.label,
        stroke: colour,
        width: line.limit ? 1 : 1.5,
        dash: line.limit ? [5, 4] : undefined,
        fill: line.limit ? undefined : fill,
        points: { show: true, size: 3, width: 0, fill: colour, filter: (uplot, which) => findLonely(uplot.data[which]) },
      };
    }

    bands() {
      const bands = [];
      for (let index = 1; index < this.chart.lines.length; index += 1) {
        if (this.chart.lines[index].limit) continue;
        bands.push({ series: [index + 1, index], fill: fade(this.colour(index), 0.5) });
      }
      return bands;
    }
  };
})();
