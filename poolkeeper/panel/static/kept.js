// What a part of a page that is loaded again leaves as it was: where the keyboard is, how far a
// table was scrolled, what is unfolded, ticked or typed but not sent, and which text is selected.
// Things are found again by their id, otherwise as the n-th that looks the same.
"use strict";

(() => {
  const BY_ITSELF = ["changed", "moment"];
  const FOCUSABLE = "a[href], button, summary, input, select, textarea, [tabindex]";
  const SCROLLED = ".table-wrap, pre, code";

  // By the id of the part.
  const kept = new Map();

  function describe(element) {
    const { tagName, id, name, value } = element;
    if (id) return `#${id}`;
    return [tagName, element.getAttribute("href"), element.dataset.copy, name, value, element.textContent.trim()].join(" ");
  }

  // Such an element as [what it looks like, the how manieth of those].
  function locate(root, selector, element) {
    const looks = describe(element);
    return [looks, [...root.querySelectorAll(selector)].filter((each) => describe(each) === looks).indexOf(element)];
  }

  function find(root, selector, [looks, index]) {
    const same = [...root.querySelectorAll(selector)].filter((each) => describe(each) === looks);
    return same[index] ?? same[0];
  }

  function readSelection(root) {
    const selection = getSelection();
    const text = selection.toString();
    if (!text.trim() || !root.contains(selection.anchorNode) || !root.contains(selection.focusNode)) return null;
    const range = selection.getRangeAt(0);
    const before = document.createRange();
    before.setStart(root, 0);
    before.setEnd(range.startContainer, range.startOffset);
    return { at: before.toString().length, text: range.toString() };
  }

  // The same words, where they are nearest to where they were.
  function select(root, { at, text }) {
    const all = root.textContent;
    const [before, after] = [all.lastIndexOf(text, at), all.indexOf(text, at)];
    const start = before < 0 || (after >= 0 && after - at < at - before) ? after : before;
    if (start < 0) return;
    const range = document.createRange();
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    let passed = 0;
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const end = passed + node.length;
      if (passed <= start && start < end) range.setStart(node, start - passed);
      if (passed < start + text.length && start + text.length <= end) {
        range.setEnd(node, start + text.length - passed);
        break;
      }
      passed = end;
    }
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  }

  function keep(root, byItself) {
    const active = document.activeElement;
    return {
      focused: root.contains(active) ? locate(root, FOCUSABLE, active) : null,
      scrolled: [...root.querySelectorAll(SCROLLED)].map((each) => [each.scrollLeft, each.scrollTop]),
      unfolded: byItself ? [...root.querySelectorAll("details[open]")].map((each) => locate(root, "summary", each.querySelector("summary"))) : [],
      typed: byItself ? readTyped(root) : [],
      selection: byItself ? readSelection(root) : null,
    };
  }

  function focus(root, { focused }) {
    if (!focused || root.contains(document.activeElement)) return;
    // What had it is gone: the next key goes on from here, not from the top of the page.
    const same = find(root, FOCUSABLE, focused);
    if (!same) root.tabIndex = -1;
    (same ?? root).focus({ preventScroll: true });
  }

  function restore(root, before) {
    for (const looks of before.unfolded) find(root, "summary", looks)?.closest("details").setAttribute("open", "");
    writeTyped(root, before.typed);
    root.querySelectorAll(SCROLLED).forEach((each, index) => {
      const [left, top] = before.scrolled[index] ?? [0, 0];
      if (left || top) each.scrollTo({ left, top, behavior: "instant" });
    });
    if (before.selection) select(root, before.selection);
    focus(root, before);
  }

  document.addEventListener("htmx:beforeSwap", (event) => {
    const { target, requestConfig, shouldSwap } = event.detail;
    if (!shouldSwap || !target.id) return;
    kept.set(target.id, keep(target, BY_ITSELF.includes(requestConfig.triggeringEvent?.type)));
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    const { id } = event.detail.elt;
    const before = kept.get(id);
    if (before) restore(document.getElementById(id), before);
  });
  // Sorting by script moves what has the focus once more.
  document.addEventListener("htmx:afterSettle", (event) => {
    const { id } = event.detail.elt;
    const before = kept.get(id);
    kept.delete(id);
    if (before && document.getElementById(id)) focus(document.getElementById(id), before);
  });
})();
