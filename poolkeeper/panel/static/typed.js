// What somebody typed or chose and has not sent yet: it is there again after a look elsewhere and
// the browser's way back. It is kept in the tab alone, for who is signed in now, and never a
// password.
"use strict";

const isTicked = (field) => field.type === "checkbox" || field.type === "radio";

function isTyped(field) {
  if (isTicked(field)) return field.checked !== field.defaultChecked;
  if (field.options) return [...field.options].some((each) => each.selected !== each.defaultSelected) && [...field.options].some((each) => each.defaultSelected);
  return field.value !== field.defaultValue;
}

// What the page says that the field held, if it does: see stale.py.
const findTwin = (field) => field.form?.elements.namedItem(`was:${field.name}`);

// Of the fields that have an id: [id, checked, value, what its twin says].
function readTyped(root) {
  return [...root.querySelectorAll("input[id]:not([type=hidden], [type=password]), select[id], textarea[id]")]
    .filter(isTyped)
    .map((field) => [field.id, field.checked, field.value, findTwin(field)?.value]);
}

// Returns the fields that were found again. What somebody else made of them meanwhile is no news to
// the page, but to who typed: so it goes on to say what that one saw.
function writeTyped(root, typed) {
  const written = [];
  for (const [id, checked, value, was] of typed) {
    const field = root.querySelector(`#${CSS.escape(id)}`);
    if (!field) continue;
    if (isTicked(field)) field.checked = checked;
    else field.value = value;
    const twin = findTwin(field);
    if (twin && was !== undefined) twin.value = was;
    written.push(field);
  }
  return written;
}

(() => {
  const key = `typed ${document.body.dataset.visit} ${location.pathname}`;
  const sent = new WeakSet();
  const listForms = () => [...document.querySelectorAll("main form:not([role=search])")];

  function save() {
    const typed = listForms().filter((form) => !sent.has(form)).flatMap(readTyped);
    if (typed.length) sessionStorage.setItem(key, JSON.stringify(typed));
    else sessionStorage.removeItem(key);
  }

  addEventListener("pagehide", save);
  document.addEventListener("submit", (event) => {
    sent.add(event.target);
    // Whoever comes next is somebody else.
    if (event.target.getAttribute("action") === "/sign-out") {
      removeEventListener("pagehide", save);
      sessionStorage.clear();
    }
  });
  // It has not been taken.
  for (const failed of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) {
    document.addEventListener(failed, (event) => sent.delete(event.detail.elt));
  }
  document.addEventListener("DOMContentLoaded", () => {
    const [visit] = performance.getEntriesByType("navigation");
    const typed = JSON.parse(sessionStorage.getItem(key) ?? "[]");
    if (visit?.type !== "back_forward" || !typed.length) return;
    for (const field of listForms().flatMap((form) => writeTyped(form, typed))) {
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
  });
  // What was chosen while the page was still loading: forms that show what that would do have not
  // heard of it.
  addEventListener("load", () => {
    for (const form of listForms().filter((each) => each.hasAttribute("hx-get") && readTyped(each).length)) {
      for (const name of ["input", "change"]) form.dispatchEvent(new Event(name, { bubbles: true }));
    }
  });
})();
