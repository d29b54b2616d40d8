// The first minute: the sample documents are taken in by one press, and the search then finds something in them.
"use strict";
document.addEventListener("click", async (event) => {
  const button = event.target.closest("#take-in");
  if (!button) return;
  const { request, toast, words } = window.dashboard;
  button.disabled = true;
  for (const name of button.dataset.names.split(" ")) {
    const file = await fetch(`/samples/${name}`).catch(() => null);
    if (!file?.ok) { toast(file ? `${words.failed} (${file.status})` : words.away, true); button.disabled = false; return; }
    const body = new FormData();
    body.append("document_id", name);
    body.append("file", await file.blob(), name);
    if (!(await request("POST", button.dataset.to, body))) { button.disabled = false; return; }
  }
  location.assign(button.dataset.then);
});
