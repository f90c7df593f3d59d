// What is looked for stands in the address: it can be shared, and is there after a reload.
//   <input hx-get="…" data-in-address>, or a form
"use strict";

document.addEventListener("htmx:afterRequest", (event) => {
  const { elt, pathInfo, successful } = event.detail;
  if (!("inAddress" in elt.dataset) || !successful) return;
  const address = new URL(pathInfo.finalRequestPath ?? pathInfo.requestPath, location.href);
  for (const [name, value] of [...address.searchParams]) {
    if (!value) address.searchParams.delete(name);
  }
  history.replaceState(null, "", address);
});

// What was typed while the page was still loading, or was typed before it was loaded anew.
addEventListener("load", () => {
  for (const input of document.querySelectorAll("input[data-in-address], [data-in-address] input")) {
    if (input.value === input.defaultValue) continue;
    for (const name of ["search", "change"]) input.dispatchEvent(new Event(name, { bubbles: true }));
  }
});
