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

// Of the fields that have an id: [id, checked, value].
function readTyped(root) {
  return [...root.querySelectorAll("input[id]:not([type=hidden], [type=password]), select[id], textarea[id]")]
    .filter(isTyped)
    .map((field) => [field.id, field.checked, field.value]);
}

function writeTyped(root, typed) {
  for (const [id, checked, value] of typed) {
    const field = root.querySelector(`#${CSS.escape(id)}`);
    if (!field) continue;
    if (isTicked(field)) field.checked = checked;
    else field.value = value;
  }
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
  document.addEventListener("DOMContentLoaded", () => {
    const [visit] = performance.getEntriesByType("navigation");
    const typed = JSON.parse(sessionStorage.getItem(key) ?? "[]");
    if (visit?.type !== "back_forward" || !typed.length) return;
    for (const form of listForms()) {
      writeTyped(form, typed);
      if (readTyped(form).length) form.dispatchEvent(new Event("input", { bubbles: true }));
    }
  });
})();
