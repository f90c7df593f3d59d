// Windows over a page: <a data-opens="id">, <button data-closes>. Whatever the page has to say
// meanwhile is said in the window: the rest of the page lies behind it, and is out of reach.
"use strict";

(() => {
  const MESSAGES = ["banner", "toasts", "said"];
  const places = MESSAGES.map((id) => document.getElementById(id)).map((element) => {
    const place = document.createComment(element.id);
    element.before(place);
    return [element, place];
  });

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-opens], [data-closes]");
    if (!target) return;
    if ("closes" in target.dataset) {
      target.closest("dialog").close();
      return;
    }
    // In a tab or a window of its own it is a page.
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const dialog = document.getElementById(target.dataset.opens);
    dialog.prepend(...places.map(([element]) => element));
    dialog.showModal();
  });

  // It does not bubble.
  document.addEventListener("close", (event) => {
    if (event.target.tagName !== "DIALOG") return;
    for (const [element, place] of places) place.after(element);
  }, true);
})();
