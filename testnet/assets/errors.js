// The first script of every page: whatever goes wrong later is noted where people and tests find it.
window.addEventListener("error", (event) => {
  const root = document.documentElement;
  root.dataset.errors = (root.dataset.errors ? root.dataset.errors + " | " : "") + String(event.message).slice(0, 300);
});
