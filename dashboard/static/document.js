// A document: what it would become with another size of chunk.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("preview");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = await (await fetch(form.dataset.text)).text();
    const answer = await window.dashboard.request("POST", "/api/v1/chunk-preview", {
      content: text,
      chunk_size: Number(form.elements.chunk_size.value),
      chunk_overlap: Number(form.elements.chunk_overlap.value),
      chunk_unit: form.elements.chunk_unit.value,
    });
    if (!answer) return;
    const summary = document.getElementById("preview-summary");
    summary.textContent = summary.dataset.text.replace("%s", String(answer.total ?? answer.chunks.length));
    document.getElementById("preview-chunks").replaceChildren(...answer.chunks.map((chunk) => {
      const box = document.createElement("article");
      box.className = "chunk text";
      box.textContent = chunk.text;
      return box;
    }));
  });
});
