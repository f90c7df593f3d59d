// What stands beside and below a chart in words: the key, and the table of its numbers.
"use strict";

const ChartKey = (() => {
  const ROWS = 15;

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

  function wordUtc(second) {
    return new Date(second * 1000).toISOString().slice(0, 19).replace("T", " ");
  }

  return class {
    constructor(figure, numbers) {
      this.numbers = numbers;
      this.key = figure.querySelector(".key");
      this.rows = figure.querySelector(".rows");
      this.details = figure.querySelector("details");
      this.chart = null;
      this.details.addEventListener("toggle", () => this.fillRows());
    }

    // Whether the lines are others than before.
    take(chart) {
      const labels = (of) => of?.lines.map((line) => line.label).join("\n");
      const isOther = labels(this.chart) !== labels(chart);
      this.chart = chart;
      if (isOther) this.fill();
      this.fillRows();
      return isOther;
    }

    colour(index) {
      return getComputedStyle(this.key.tBodies[0].rows[index].querySelector(".swatch")).color;
    }

    // What was at that place of the numbers; without one, what is now.
    word(place) {
      if (!this.chart) return;
      const { times, isLive } = this.numbers;
      const { lines, kind } = this.chart;
      const at = place === null ? null : Math.min(place, times.length - 1);
      put(this.key.tHead.rows[0].cells[1], at === null ? "Now" : wordMoment(times[at], this.numbers, true));
      lines.forEach((line, index) => {
        const cells = this.key.tBodies[0].rows[index].cells;
        const value = at === null ? line.values.at(-1) ?? line.values.at(-2) : line.values[at];
        put(cells[1], wordValue(value, kind));
        const [mean, max] = isLive ? sum(line.values) : [line.mean, line.max];
        put(cells[2], wordValue(mean, kind));
        put(cells[3], wordValue(max, kind));
      });
    }

    fill() {
      const { lines } = this.chart;
      const body = this.key.tBodies[0];
      const old = [...body.rows].map((row) => row.cells[0].textContent.trim());
      if (old.join("\n") === lines.map((line) => line.label).join("\n")) return;
      const first = body.rows[0].cloneNode(true);
      body.replaceChildren(...lines.map((line) => {
        const row = first.cloneNode(true);
        row.querySelector(".swatch").setAttribute("class", `swatch ${line.tone}`);
        row.querySelector(".label").textContent = line.label;
        return row;
      }));
      const heads = [this.rows.tHead.rows[0].cells[0], ...lines.map((line) => make("th", line.label, { scope: "col" }))];
      this.rows.tHead.rows[0].replaceChildren(...heads);
    }

    fillRows() {
      if (!this.details.open || !this.chart) return;
      const { times } = this.numbers;
      const size = Math.max(Math.ceil(times.length / ROWS), 1);
      const rows = [];
      for (let first = 0; first < times.length; first += size) {
        const row = document.createElement("tr");
        row.append(make("th", wordUtc(times[first]), { scope: "row" }));
        for (const line of this.chart.lines) {
          const [mean] = sum(line.values.slice(first, first + size));
          row.append(make("td", wordValue(mean, this.chart.kind), { class: "number" }));
        }
        rows.unshift(row);
      }
      this.rows.tBodies[0].replaceChildren(...rows);
    }
  };
})();
