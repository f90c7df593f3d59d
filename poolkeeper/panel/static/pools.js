// Pages of pools: the slider beside a size, whose numbers come.
"use strict";

// <input type="range" data-slides="field-size"> and that number follow each other.
document.addEventListener("input", (event) => {
  const { target } = event;
  if (target.dataset.slides) document.getElementById(target.dataset.slides).value = target.value;
  const slider = target.id && document.querySelector(`[data-slides="${CSS.escape(target.id)}"]`);
  if (slider && target.value) slider.value = target.value;
});

// Where not all pools are shown, only the numbers of those that are shall come.
function listen() {
  const table = document.querySelector("table.pools");
  const [address] = document.body.dataset.stream.split("&pool=");
  const names = [...document.querySelectorAll("[data-hot]")].map((cell) => cell.dataset.hot.split(".")[1]);
  const shown = table && Number(table.dataset.total) === names.length ? "" : (names.length ? names : [""]).map((name) => `&pool=${encodeURIComponent(name)}`).join("");
  if (document.body.dataset.stream === address + shown) return;
  document.dispatchEvent(new CustomEvent("poolkeeper:stream", { detail: address + shown }));
}
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.elt.querySelector?.("table.pools, .empty")) listen();
  const size = document.getElementById("field-size");
  size?.setAttribute("aria-invalid", document.getElementById("error-size") ? "true" : "false");
});

// Clients that wait stand out.
document.addEventListener("poolkeeper:live", (event) => {
  for (const cell of document.querySelectorAll("[data-hot]")) {
    if (cell.dataset.hot in event.detail) cell.classList.toggle("hot", event.detail[cell.dataset.hot] > 0);
  }
});

// An old form is not shown while the new one comes; one in which something was typed stays until
// it is sent, or given up by its own link.
const dialogBody = document.getElementById("pool-dialog-body");
const waiting = [...(dialogBody?.childNodes ?? [])];
const isDraft = () => readTyped(dialogBody).length > 0 || dialogBody.querySelector("[aria-invalid=true], .note.bad") !== null;
document.getElementById("pool-dialog")?.addEventListener("close", () => {
  if (!isDraft()) dialogBody.replaceChildren(...waiting);
});
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.elt.dataset.opens === "pool-dialog" && isDraft()) event.preventDefault();
});
