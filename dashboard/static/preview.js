// What a text would become: the text with its chunks marked, and beside it the chunks.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("preview");
  if (!form) return;
  const { request, toast, words, commands, curl } = window.dashboard;
  const fields = ["chunk_size", "chunk_overlap", "chunk_unit"];

  const stored = async () => {
    let response;
    try {
      response = await fetch(form.dataset.text);
      if (response.ok) return await response.text();
    } catch { /* the network, also in the middle of the text */ }
    toast(response && !response.ok ? `${words.failed} (${response.status})` : words.away, true);
    return null;
  };

  const ask = async () => {
    const file = form.elements.file?.files[0];
    if (file) {
      const data = new FormData();
      data.append("file", file);
      fields.forEach((name) => data.append(name, form.elements[name].value));
      return request("POST", "/api/v1/chunk-preview", data);
    }
    const content = form.dataset.text ? await stored() : form.elements.content.value;
    if (content === null) return null;
    const said = { content };
    fields.forEach((name) => { const { value, type } = form.elements[name]; said[name] = type === "number" ? Number(value) : value; });
    return request("POST", "/api/v1/chunk-preview", said);
  };

  commands.preview = () => {
    const sizes = Object.fromEntries(fields.map((name) => [name, form.elements[name].value]));
    const preview = (file) => curl.sent("POST", "/api/v1/chunk-preview", ...curl.form(sizes, file));
    const address = form.dataset.text;
    if (address) return `curl ${curl.KEY} ${curl.quoted(location.origin + address)} | ${preview("-")}`;
    const file = form.elements.file.files[0], content = form.elements.content.value;
    if (!file && content) return curl.sent("POST", "/api/v1/chunk-preview", ...curl.json({ content, ...sizes, chunk_size: Number(sizes.chunk_size), chunk_overlap: Number(sizes.chunk_overlap) }));
    return preview(file ? file.name : "FILE");
  };

  // Offsets count characters, a script's strings count UTF-16 units.
  const marked = ({ text, chunks }) => {
    const whole = [...text], parts = [];
    const ends = [...new Set([0, whole.length, ...chunks.flatMap(({ start, end }) => [start, end])])].sort((a, b) => a - b);
    let first = 0;
    ends.slice(1).forEach((end, place) => {
      const start = ends[place];
      while (first < chunks.length && chunks[first].end <= start) first += 1;
      const within = [];
      for (let each = first; each < chunks.length && chunks[each].start <= start; each += 1) if (chunks[each].end >= end) within.push(chunks[each].index);
      const part = whole.slice(start, end).join("");
      if (!within.length) { parts.push(part); return; }
      const mark = document.createElement("span");
      mark.className = `mark${within.at(-1) % 2}${within.length > 1 ? " both" : ""}`;
      mark.textContent = part;
      parts.push(mark);
    });
    return parts;
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = await ask();
    if (!answer) return;
    const summary = document.getElementById("preview-summary"), list = document.getElementById("preview-chunks");
    summary.textContent = summary.dataset.text.replace("%s", String(answer.chunks.length));
    document.getElementById("preview-sides").hidden = false;
    document.getElementById("preview-text").replaceChildren(...marked(answer));
    list.replaceChildren(...answer.chunks.map((chunk) => {
      const box = document.createElement("article"), head = document.createElement("header"), text = document.createElement("div");
      box.className = "chunk";
      head.textContent = [`#${chunk.index}`, chunk.page ? `${list.dataset.page} ${chunk.page}` : "", ...chunk.heading_path].filter(Boolean).join(" · ");
      text.className = "text";
      text.textContent = chunk.text;
      box.append(head, text);
      return box;
    }));
  });
});
