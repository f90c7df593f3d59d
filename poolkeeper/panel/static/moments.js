// What is not in the live stream, such as who a pool's clients are, is loaded again every
// `data-every` seconds while somebody looks: hx-trigger="moment from:body".
"use strict";

(() => {
  const every = Number(document.currentScript.dataset.every);

  setInterval(() => {
    if (!document.hidden) document.body.dispatchEvent(new CustomEvent("moment", { bubbles: false }));
  }, every * 1000);
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.triggeringEvent?.type === "moment") event.detail.headers["poolkeeper-background"] = "yes";
  });
})();
