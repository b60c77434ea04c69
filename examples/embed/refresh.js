// Takes in the page anew every few seconds, and leaves open what is open. Without it the page is as whole.
setInterval(async () => {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
    const open = [...document.querySelectorAll("details")].map((details) => details.open);
    fresh.querySelectorAll("details").forEach((details, place) => { details.open = open[place] ?? false; });
    document.querySelector("main").replaceWith(fresh);
  } catch {
    // The service may be restarting; the next time.
  }
}, 3000);
