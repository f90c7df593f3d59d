// Keeps what is open true: numbers each second, regions when something was changed.
//
//   <body data-stream="/live?cluster=…"       where to listen
//         data-last-change="…"                the newest change that the page has in it
//         data-visit="…">                     whose page it is
//   <span data-live="pool.web.clients_active">  gets that number; data-live-as="duration" and
//                                               others word it, see FORMATS
//   <rect data-live-width="pools.backends">     is that wide
//   hx-trigger="changed from:body"              is loaded again after a change
//
// Others may listen on document for "poolkeeper:live", whose detail has all numbers. Each event
// of the stream has those that are new; see stream.js.
"use strict";

const SIZES = [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]];
const trim = (number, digits) => String(Number(number.toFixed(digits)));

function wordShort(value) {
  if (Number.isInteger(value) || Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US");
  return Math.abs(value) >= 10 ? value.toFixed(1) : trim(value, 2);
}

function wordDuration(seconds) {
  if (seconds === 0) return "0 s";
  if (seconds < 0.000001) return "< 0.001 ms";
  if (seconds < 0.9995) return `${Number((seconds * 1000).toPrecision(3))} ms`;
  if (seconds < 60) return `${Number(seconds.toPrecision(3))} s`;
  for (const [factor, unit, smaller, name] of [[86400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]]) {
    if (seconds < factor) continue;
    const whole = Math.floor(Math.round(seconds) / factor);
    const rest = Math.floor((Math.round(seconds) % factor) / smaller);
    return `${whole} ${unit}${rest ? ` ${rest} ${name}` : ""}`;
  }
  return "";
}

const FORMATS = {
  count: wordShort,
  rate: (value) => `${wordShort(value)} /s`,
  percent: (value) => `${wordShort(value)} %`,
  ratio: (value) => `${trim(Math.floor(value * 1000) / 10, 1)} %`,
  size: (value) => {
    const [factor, unit] = SIZES.find(([each]) => value >= each) ?? [1, "B"];
    return `${trim(value / factor, 1)} ${unit}`;
  },
  duration: wordDuration,
};

// As wording.word_value has it.
function wordValue(value, kind) {
  return value === null || value === undefined ? "–" : FORMATS[kind](value);
}

(() => {
  const BANNER_AFTER = 1200;
  if (!document.body.dataset.stream || !window.EventSource) return;

  const banner = document.getElementById("banner");
  const { stream, lastChange, visit } = document.body.dataset;
  let leaving = false;
  let latest = {};

  const shared = shareStream(visit, stream, lastChange, {
    numbers(found, whole) {
      latest = Object.assign(whole ? {} : latest, found);
      show(document);
      document.dispatchEvent(new CustomEvent("poolkeeper:live", { detail: latest }));
    },
    changed: refresh,
    away(since) {
      const wasAway = !banner.hidden;
      banner.hidden = since === null || Date.now() - since < BANNER_AFTER;
      if (wasAway && since === null) refresh();
    },
    ended: leave,
  });

  function format(element, value) {
    const kind = element.dataset.liveAs;
    if (kind) return wordValue(value, kind);
    if (value === null || value === undefined) return "–";
    return value.toLocaleString("en-US", { maximumFractionDigits: 0 });
  }

  function show(root) {
    for (const element of root.querySelectorAll("[data-live]")) {
      const name = element.dataset.live;
      if (!(name in latest)) continue;
      const text = format(element, latest[name]);
      if (element.textContent !== text) element.textContent = text;
      const cell = element.closest("td[data-value]");
      if (cell) cell.dataset.value = latest[name] ?? "";
    }
    for (const element of root.querySelectorAll("[data-live-width]")) {
      const name = element.dataset.liveWidth;
      if (name in latest) element.setAttribute("width", Math.max(latest[name] ?? 0, 0));
    }
  }

  let changes = 0;
  function refresh() {
    changes += 1;
    document.body.dispatchEvent(new CustomEvent("changed", { bubbles: false }));
  }

  // The stream and each part that is loaded again may say so: whoever is first.
  function leave() {
    shared.stop();
    if (leaving) return;
    leaving = true;
    const here = location.pathname + location.search;
    location.assign(`/sign-in?next=${encodeURIComponent(here)}`);
  }

  // A page that nobody sees needs nothing.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) shared.stop();
    else if (!leaving && !document.body.dataset.gone) shared.start();
  });

  document.addEventListener("htmx:load", (event) => show(event.detail.elt.parentElement ?? document));
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.triggeringEvent?.type === "changed") {
      event.detail.headers["poolkeeper-background"] = "yes";
    }
  });

  document.addEventListener("htmx:responseError", (event) => {
    if (event.detail.xhr.status === 401) leave();
  });

  // What the page is about was deleted: it is told above it, and the rest is a picture only.
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.elt.id !== "gone" || document.body.dataset.gone) return;
    document.body.dataset.gone = "yes";
    shared.stop();
    for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
    const gone = document.getElementById("gone");
    for (let next = gone.nextElementSibling; next; next = next.nextElementSibling) {
      if (!next.matches(".crumbs, .tabs")) next.inert = true;
    }
    gone.querySelector("a").focus();
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.body.dataset.gone) event.preventDefault();
  });

  // Not under somebody's hands: what is open, being typed in or sent, has just been copied or was
  // refused is loaded again afterwards. All else is as it was then, see kept.js.
  const IN_USE = [
    "[popover]:popover-open", "dialog[open]", "[data-copied]",
    "input:not([type=radio], [type=checkbox]):focus", "select:focus", "textarea:focus",
    "form.htmx-request", "form [aria-invalid=true]", "form > .note.bad",
  ].join(", ");
  // What is pressed: a click on something that is replaced before it is let go would be lost.
  let pressed = null;
  addEventListener("pointerdown", (event) => { pressed = event.target; }, true);
  for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => setTimeout(() => { pressed = null; }), true);

  let postponed = false;
  // With what is replaced along with it.
  function listReplaced(region) {
    const others = region.getAttribute("hx-select-oob");
    return others ? [region, ...document.querySelectorAll(others)] : [region];
  }
  function postpone(event, region) {
    if (!["changed", "moment"].includes(event.detail.requestConfig.triggeringEvent?.type)) return;
    const whole = region.closest("form") ?? region;
    if (!whole.querySelector(IN_USE) && !listReplaced(region).some((each) => each.contains(pressed))) return;
    event.preventDefault();
    postponed = true;
  }
  document.addEventListener("htmx:beforeRequest", (event) => postpone(event, event.detail.elt));
  // It may have come into use since it was asked for.
  document.addEventListener("htmx:beforeSwap", (event) => postpone(event, event.detail.target));
  // Two answers for one region, what was changed and what is looked for, come in any order: the
  // first replaces the element that the second is meant for, and the last may be the older one.
  document.addEventListener("htmx:beforeSend", ({ detail }) => { detail.requestConfig.changes = changes; });
  document.addEventListener("htmx:beforeOnLoad", ({ detail }) => {
    if (!detail.target.isConnected) detail.target = document.getElementById(detail.target.id) ?? detail.target;
    const { verb, changes: before } = detail.requestConfig;
    if (verb === "get" && detail.elt !== detail.target && before !== changes) setTimeout(refresh);
  });
  setInterval(() => {
    if (!postponed || pressed || document.querySelector(IN_USE)) return;
    postponed = false;
    refresh();
  }, 1000);
  // The page wants other numbers than before.
  document.addEventListener("poolkeeper:stream", (event) => {
    document.body.dataset.stream = event.detail;
    shared.want(event.detail);
  });
  addEventListener("pagehide", shared.stop);
  addEventListener("pageshow", (event) => {
    if (!event.persisted || document.body.dataset.gone) return;
    leaving = false;
    shared.start();
  });
  // Once htmx listens: what comes first may be that something was changed meanwhile.
  document.addEventListener("DOMContentLoaded", () => {
    if (!document.hidden) shared.start();
  });
})();
