// Other colours at once: the page stays, and what is typed in it.
"use strict";

document.addEventListener("submit", (event) => {
  const form = event.target;
  const chosen = event.submitter;
  if (!form.matches("form.theme") || !chosen) return;
  event.preventDefault();
  // Before others see to it: it is not left for another page.
  event.stopImmediatePropagation();
  document.documentElement.dataset.theme = chosen.value;
  for (const button of form.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", button === chosen ? "true" : "false");
  }
  document.dispatchEvent(new CustomEvent("poolkeeper:theme"));
  const body = new URLSearchParams(new FormData(form, chosen));
  fetch(form.action, { method: "POST", body, redirect: "manual" }).catch(() => {});
}, true);
