// What is looked for stands in the address: it can be shared, and is there after a reload.
"use strict";

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.requestConfig?.elt?.id !== "event-search") return;
  const address = new URL(event.detail.pathInfo.finalRequestPath, location.href);
  for (const [name, value] of [...address.searchParams]) {
    if (!value) address.searchParams.delete(name);
  }
  history.replaceState(null, "", address);
});
