// Finds settings while one types, without losing what was typed into them; shows what was changed.
"use strict";

(() => {
  const search = document.querySelector("[data-finds]");

  function find() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const row of document.querySelectorAll(`#${search.dataset.finds} [data-text]`)) {
      const fits = words.every((word) => row.dataset.text.includes(word)) || row.querySelector("[aria-invalid=true]");
      row.hidden = !fits;
      found += fits ? 1 : 0;
    }
    for (const group of document.querySelectorAll(`#${search.dataset.finds} section`)) {
      group.hidden = !group.querySelector("[data-text]:not([hidden])");
    }
    document.getElementById("nothing-found").hidden = found > 0;
  }

  function remember() {
    const address = new URL(location.href);
    if (search.value.trim()) address.searchParams.set("q", search.value.trim());
    else address.searchParams.delete("q");
    history.replaceState(history.state, "", address);
  }

  function mark(field) {
    const was = field.parentElement.querySelector("input[type=hidden]");
    if (was) field.classList.toggle("is-changed", field.value.trim() !== was.value.trim());
  }

  // One line for each change: when it is in force.
  function plan() {
    const planned = document.getElementById("planned");
    if (!planned) return;
    planned.replaceChildren(...[...document.querySelectorAll(".setting .is-changed")].map((field) => {
      const line = document.createElement("li"), name = document.createElement("code");
      name.textContent = field.name;
      line.append(name, `: ${planned.dataset[field.closest(".setting").dataset.effect]}`);
      return line;
    }));
  }

  function markAll() {
    for (const field of document.querySelectorAll(".setting .control > :is(input:not([type=hidden]), select, textarea)")) mark(field);
  }

  search.addEventListener("input", () => { find(); remember(); });
  search.form.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("input", (event) => {
    if (!event.target.closest(".setting")) return;
    mark(event.target);
    plan();
  });
  document.addEventListener("htmx:afterSettle", () => { find(); markAll(); plan(); });
  markAll();
  find();
  plan();
  // What was typed while the page was still loading.
  if (search.value.trim()) remember();
})();
