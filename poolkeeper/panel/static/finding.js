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
