// Small things that need a script: copying, toasts, ages, sorting.
// Pages work without it; what would not is marked .needs-js and hidden.
"use strict";

document.documentElement.classList.add("js");

const TOAST_SECONDS = 8;

function announce(text, tone) {
  const toast = document.createElement("div");
  toast.className = `toast ${tone || ""}`;
  const words = document.createElement("div");
  words.textContent = text;
  toast.append(words);
  document.getElementById("toasts").append(toast);
  setTimeout(() => toast.remove(), TOAST_SECONDS * 1000);
}

const COPIED_MS = 1600;
const restoring = new WeakMap();

function selectText(source) {
  const range = document.createRange();
  range.selectNodeContents(source);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
}

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  const text = source.dataset.value ?? source.textContent;
  const said = document.getElementById("said");
  button.dataset.text ??= button.textContent;
  button.dataset.copied = "yes";
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = said.textContent = "Copied";
  } catch {
    // What can be selected is what is seen, which may be dots.
    const isHidden = source.querySelector(".while-hidden")?.getClientRects().length;
    if (!isHidden) selectText(source);
    button.textContent = said.textContent = isHidden ? "Show the password first" : "Press Ctrl+C";
  }
  clearTimeout(restoring.get(button));
  restoring.set(button, setTimeout(() => {
    button.textContent = button.dataset.text;
    delete button.dataset.copied;
    said.textContent = "";
  }, COPIED_MS));
}

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-copy], [data-dismiss]");
  if (!target) return;
  if (target.dataset.copy) copy(target);
  if ("dismiss" in target.dataset) target.closest(".toast").remove();
});

// <select data-sends-form>: what is chosen is done at once.
document.addEventListener("change", (event) => {
  if ("sendsForm" in event.target.dataset) event.target.form.requestSubmit();
});

// A form is sent once, however often its button is pressed. htmx sees to its own forms.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.hasAttribute("hx-post") && window.htmx) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  for (const button of form.querySelectorAll("button.button")) button.classList.add("is-busy");
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll(".is-busy")) button.classList.remove("is-busy");
  }
});

// A change is waited for until the cluster has taken it up: one that takes long says why.
const SLOW_AFTER = 2000;

function tellWait(form) {
  const why = document.querySelector("#cluster-head .note, #overview .note")?.textContent.trim().replace(/\s+/g, " ");
  const words = document.createElement("p");
  words.className = "note warn slow";
  words.setAttribute("role", "status");
  words.textContent = `Waiting until the cluster has taken it up, ${form.dataset.waits} s at most.${why ? ` It says: ${why}` : ""}`;
  form.append(words);
}

document.addEventListener("htmx:beforeRequest", (event) => {
  const form = event.detail.elt;
  if (!form.matches("form[data-waits]") || !document.getElementById("cluster-head")) return;
  const timer = setTimeout(() => tellWait(form), SLOW_AFTER);
  form.addEventListener("htmx:afterRequest", () => {
    clearTimeout(timer);
    form.querySelector(".slow")?.remove();
  }, { once: true });
});

// After a refusal the first field that is wrong has the focus.
function focusFirstError(root) {
  root.querySelector?.("[aria-invalid=true]")?.focus();
}

document.addEventListener("htmx:afterSettle", (event) => {
  focusFirstError(event.detail.elt);
  showAges();
});
// Several parts of a page may be told the same, such as that the cluster is gone.
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id !== "toasts") return;
  const toasts = [...event.detail.target.children];
  const before = new Set();
  for (const toast of toasts) {
    const words = toast.textContent.trim();
    if (before.has(words)) toast.remove();
    before.add(words);
  }
});
document.addEventListener("htmx:sendError", (event) => {
  // The banner says that reading is tried again; a form is not sent again.
  if (event.detail.requestConfig.verb === "post") {
    announce("Poolkeeper did not answer. The change may have been made all the same: look whether it was, then try again.", "bad");
  } else if (document.getElementById("banner").hidden) announce("Poolkeeper did not answer. Try again.", "bad");
});

const AGES = [[86400, "day"], [3600, "hour"], [60, "minute"]];

function wordAge(seconds) {
  for (const [factor, noun] of AGES) {
    if (Math.abs(seconds) >= factor) {
      const count = Math.floor(Math.abs(seconds) / factor);
      const text = `${count} ${noun}${count === 1 ? "" : "s"}`;
      return seconds > 0 ? `${text} ago` : `in ${text}`;
    }
  }
  return seconds >= 0 ? "just now" : "in a moment";
}

function showAges() {
  for (const time of document.querySelectorAll("time[data-age]")) {
    const text = wordAge((Date.now() - Date.parse(time.dateTime)) / 1000);
    if (time.textContent !== text) time.textContent = text;
  }
}
setInterval(showAges, 20000);

// <table data-sortable>: each heading with data-sort becomes a button. Cells may bear data-value.
function readCell(row, index) {
  const cell = row.children[index];
  const text = cell.dataset.value ?? cell.textContent.trim();
  const number = Number(text.replaceAll(",", ""));
  return text !== "" && !Number.isNaN(number) ? number : text.toLowerCase();
}

// By the id around a table: how it was sorted, for when its region is loaded again.
const sorted = new Map();

function sortBy(heading, ascending) {
  const table = heading.closest("table");
  const index = [...heading.parentElement.children].indexOf(heading);
  sorted.set(table.closest("[id]")?.id, { index, ascending });
  for (const other of heading.parentElement.children) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  const body = table.tBodies[0];
  const compare = (a, b) => {
    const [left, right] = [readCell(a, index), readCell(b, index)];
    const order = typeof left === typeof right ? (left > right) - (left < right) : typeof left === "number" ? -1 : 1;
    return ascending ? order : -order;
  };
  body.append(...[...body.rows].sort(compare));
}

function makeSortable(root) {
  for (const heading of root.querySelectorAll("table[data-sortable] th[data-sort]:not(:has(button))")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sortBy(heading, heading.getAttribute("aria-sort") !== "ascending"));
    heading.append(button);
  }
  for (const table of root.querySelectorAll("table[data-sortable]:not(:has([aria-sort]))")) {
    const before = sorted.get(table.closest("[id]")?.id);
    if (before) sortBy(table.tHead.rows[0].children[before.index], before.ascending);
  }
}

document.addEventListener("DOMContentLoaded", () => {
  makeSortable(document);
  // Of many tabs on a narrow screen the current one is seen.
  for (const here of document.querySelectorAll(".tabs [aria-current]")) {
    here.scrollIntoView({ inline: "center", block: "nearest", behavior: "instant" });
  }
  focusFirstError(document);
  document.querySelector("form[data-sends-itself]")?.requestSubmit();
  for (const toast of document.querySelectorAll("#toasts .toast")) {
    setTimeout(() => toast.remove(), TOAST_SECONDS * 1000);
  }
});
document.addEventListener("htmx:load", (event) => makeSortable(event.detail.elt.parentElement ?? document));
