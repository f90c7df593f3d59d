// What on a pool's page is not in the live stream, warnings and who the clients are, is loaded
// again every few seconds while somebody looks.
"use strict";

(() => {
  const EVERY_SECONDS = 10;

  setInterval(() => {
    if (!document.hidden) document.body.dispatchEvent(new CustomEvent("moment", { bubbles: false }));
  }, EVERY_SECONDS * 1000);
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.triggeringEvent?.type === "moment") event.detail.headers["poolkeeper-background"] = "yes";
  });
})();
