// Keeps a page fresh: the server says what changed, htmx fetches the page again and morphs its live part.
import htmx from "htmx.org";

const QUIET_MS = 1500; // changes come in bursts: a poll brings fixes, counts and alerts
const OLDEST_MS = 60_000; // words such as “3 minutes ago” grow old by themselves

let planned;
let stale = false;

function refresh() {
  planned = undefined;
  // A page that nobody looks at, or in which somebody is writing, is left alone until later.
  if (document.hidden || isBusy()) {
    stale = true;
    return;
  }
  stale = false;
  htmx.trigger(document.body, "sitewatch:changed");
}

function plan() {
  planned ??= setTimeout(refresh, QUIET_MS);
}

function isBusy() {
  const form = document.activeElement?.closest("form");
  return Boolean(form?.querySelector("input:not([type=hidden]), textarea, select"));
}

function showLive(live) {
  for (const each of document.querySelectorAll("[data-live]")) each.hidden = !live;
}

if (document.querySelector("#live")) {
  const source = new EventSource("/events");
  source.addEventListener("open", () => showLive(true));
  source.addEventListener("error", () => showLive(false));
  source.addEventListener("changed", plan);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && stale) plan();
  });
  document.addEventListener("focusout", () => {
    if (stale) plan();
  });
  setInterval(plan, OLDEST_MS);
}

for (const each of document.querySelectorAll("[data-needs-script]")) each.hidden = false;
