// One live stream for all tabs of a browser: it opens six connections to one server and no more,
// and each stream takes one of them for good.
//
// The tab that holds a lock listens, for all that can be seen, and tells them what it hears over
// a channel. Hidden and left pages let go of the lock; of a tab that is closed or has crashed the
// browser does. Where there are no locks each tab listens for itself.
//
// Tabs of one visit alone share: those that were opened by who was signed in before have a stream
// of their own, which the server ends.
//
//   const stream = shareStream(visit, address, lastChange, {
//     numbers(found, whole) {},    new numbers; whole: nothing is left of those before
//     changed() {},                something that the page shows was changed
//     away(since) {},              nobody answers since then; null: somebody does again
//     ended() {},                  no longer signed in
//   });
//   stream.start(); stream.stop(); stream.want(address);
"use strict";

const shareStream = (() => {
  const SILENCE_MILLISECONDS = 16000;
  // More pools are for who wants all; longer addresses are not for servers.
  const MOST_POOLS = 50;
  const LONGEST_ADDRESS = 8000;

  const canShare = Boolean(navigator.locks && window.BroadcastChannel);
  const readQuery = (address) => new URLSearchParams(address.split("?")[1] ?? "");

  // By cluster the names of the pools that are wanted, null for all of them.
  function joinWishes(addresses) {
    const joined = new Map();
    for (const query of addresses.map(readQuery)) {
      const cluster = query.get("cluster") ?? "";
      const pools = query.has("pool") ? new Set(query.getAll("pool")) : null;
      const before = joined.get(cluster);
      const all = before === null || pools === null || (before?.size ?? 0) + pools.size > MOST_POOLS;
      joined.set(cluster, all ? null : new Set([...(before ?? []), ...pools]));
    }
    return joined;
  }

  function composeAddress(visit, joined, withPools = true) {
    const wanted = [...joined].sort().map(([cluster, pools]) => {
      const query = new URLSearchParams(cluster ? { cluster } : {});
      if (withPools) for (const pool of [...(pools ?? [])].sort()) query.append("pool", pool);
      return ["for", query.toString()];
    });
    const address = `/live?${new URLSearchParams([["visit", visit], ...wanted])}`;
    return withPools && address.length > LONGEST_ADDRESS ? composeAddress(visit, joined, false) : address;
  }

  // What the one tab does that listens. `tell` reaches all tabs, itself among them.
  function lead(visit, wishes, after, tell) {
    let lastChange = after;
    let source = null;
    let address = "";
    let latest = new Map();
    let since = null;
    let heard = Date.now();
    let timer = 0;
    let tries = 0;
    let over = false;

    const compose = () => composeAddress(visit, joinWishes([...wishes.values()]));

    function open() {
      source?.close();
      address = compose();
      source = new EventSource(`${address}&after=${lastChange}`);
      heard = Date.now();
      latest = new Map();
      tries += 1;
      source.addEventListener("open", () => {
        heard = Date.now();
        tries = 0;
        if (since !== null) tell({ kind: "away", since: null });
        since = null;
      });
      source.addEventListener("live", (event) => {
        heard = Date.now();
        lastChange = event.lastEventId || lastChange;
        const { cluster, numbers } = JSON.parse(event.data);
        const whole = !latest.has(cluster);
        latest.set(cluster, Object.assign(latest.get(cluster) ?? {}, numbers));
        tell({ kind: "numbers", cluster, numbers, whole, lastChange });
      });
      source.addEventListener("changed", (event) => {
        heard = Date.now();
        lastChange = event.lastEventId;
        tell({ kind: "changed", clusters: JSON.parse(event.data).clusters, lastChange });
      });
      // Maybe only for who was signed in when it was opened.
      source.addEventListener("ended", () => lose(0));
      source.addEventListener("error", () => {
        // Somebody answers, time and again, and has no room for us.
        const isFull = tries > 1;
        lose(isFull ? 3000 : 300);
        if (isFull) tell({ kind: "away", since });
      });
    }

    function lose(wait) {
      source?.close();
      source = null;
      since ??= Date.now();
      clearTimeout(timer);
      timer = setTimeout(ask, wait);
    }

    // Until somebody answers.
    async function ask() {
      let status = 0;
      try {
        status = (await fetch(`/live/ping?visit=${visit}`, { cache: "no-store", signal: AbortSignal.timeout(4000) })).status;
      } catch { /* not there */ }
      if (over) return;
      if (status === 204) { open(); return; }
      if (status === 401 || status === 403) { tell({ kind: "ended" }); return; }
      tries = 0;
      tell({ kind: "away", since });
      timer = setTimeout(ask, 800 + Math.random() * 400);
    }

    const watch = setInterval(() => {
      if (source && Date.now() - heard > SILENCE_MILLISECONDS) lose(0);
    }, 2000);
    open();

    return {
      // Another tab has come, or wants something else than before.
      hear(wish) {
        if (Number(wish.lastChange) < Number(lastChange)) tell({ kind: "changed", clusters: null, lastChange, only: wish.tab });
        if (since !== null) tell({ kind: "away", since });
        for (const [cluster, numbers] of latest) tell({ kind: "numbers", cluster, numbers, whole: true, lastChange });
        if (!source || compose() === address) return;
        clearTimeout(timer);
        timer = setTimeout(open, 30);
      },
      end() {
        over = true;
        source?.close();
        clearTimeout(timer);
        clearInterval(watch);
      },
    };
  }

  return (visit, first, firstChange, handlers) => {
    const name = `poolkeeper-live-1 ${visit}`;
    const tab = `${Date.now()}-${Math.random()}`;
    const wishes = new Map();
    let address = first;
    let lastChange = firstChange;
    let channel = null;
    let leader = null;
    let letGo = null;
    let queue = null;
    let heard = 0;
    let watch = 0;

    const ownCluster = () => readQuery(address).get("cluster") ?? "";

    function hearLeader(message) {
      heard = Date.now();
      lastChange = message.lastChange ?? lastChange;
      if (message.kind === "numbers" && message.cluster === ownCluster()) handlers.numbers(message.numbers, message.whole);
      if (message.kind === "changed" && (message.only ?? tab) === tab) {
        const own = ownCluster();
        if (own === "" || message.clusters === null || message.clusters.includes(own)) handlers.changed();
      }
      if (message.kind === "away") handlers.away(message.since);
      if (message.kind === "ended") handlers.ended();
    }

    function hear({ data }) {
      if (data.kind === "wish") {
        wishes.set(data.tab, data.address);
        leader?.hear(data);
      } else if (data.kind === "bye") wishes.delete(data.tab);
      else if (data.kind === "who") wish();
      else hearLeader(data);
    }

    function tell(message) {
      channel?.postMessage(message);
      hearLeader(message);
    }

    function wish() {
      channel?.postMessage({ kind: "wish", tab, address, lastChange });
    }

    function take() {
      wishes.set(tab, address);
      leader = lead(visit, wishes, lastChange, tell);
      channel?.postMessage({ kind: "who" });
    }

    function stepDown() {
      leader?.end();
      leader = null;
      letGo?.();
      letGo = null;
    }

    // Waits until the lock is free; `steal`: from a tab that does not answer any more.
    async function waitForTurn(steal) {
      queue?.abort();
      const mine = queue = new AbortController();
      const options = steal ? { steal: true } : { signal: mine.signal };
      try {
        await navigator.locks.request(name, options, () => {
          if (queue !== mine) return undefined;
          take();
          return new Promise((resolve) => { letGo = resolve; });
        });
      } catch (error) {
        // No longer wanted, or it was stolen from here.
        if (queue !== mine) return;
        stepDown();
        // Where locks are refused, asking again would have no end.
        if (error.name === "AbortError") waitForTurn(false);
        else take();
      }
    }

    function start() {
      if (queue || leader) return;
      heard = Date.now();
      if (!canShare) { take(); return; }
      channel = new BroadcastChannel(name);
      channel.addEventListener("message", hear);
      wish();
      waitForTurn(false);
      watch = setInterval(() => {
        if (leader || Date.now() - heard < SILENCE_MILLISECONDS) return;
        heard = Date.now();
        waitForTurn(true);
      }, 2000);
    }

    function stop() {
      clearInterval(watch);
      const left = queue;
      queue = null;
      left?.abort();
      stepDown();
      wishes.clear();
      channel?.postMessage({ kind: "bye", tab });
      channel?.close();
      channel = null;
    }

    function want(wanted) {
      if (wanted === address) return;
      address = wanted;
      wishes.set(tab, address);
      if (leader) leader.hear({ tab, lastChange });
      else wish();
    }

    return { start, stop, want };
  };
})();
