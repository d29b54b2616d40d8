// A knowledge base: uploads with a bar for each file and one for all, and the search box.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const { request, toast, words, csrf, problem, told, commands, curl } = window.dashboard;
  const form = document.getElementById("drop");
  const list = document.getElementById("files");
  const filled = (text, values) => text.replace(/%\((\w+)\)s/g, (_, name) => values[name]);

  // At once, as a browser opens only some connections to one server.
  const AT_ONCE = 3;
  const ENDED = ["completed", "failed", "cancelled"];
  // How statuses and stages are called in the viewer's language.
  const names = JSON.parse(list.dataset.names);
  const files = new Map();
  const waiting = [];
  let running = 0, polling = false;

  const show = () => {
    const all = [...files.values()];
    const ended = all.filter((each) => ENDED.includes(each.status));
    const failed = ended.filter((each) => each.status !== "completed").length;
    document.getElementById("all").value = all.reduce((sum, each) => sum + each.bar.value, 0) / Math.max(all.length, 1);
    const text = document.getElementById("all-text");
    text.textContent = filled(text.dataset.text, { ended: ended.length, total: all.length, failed });
  };

  const finish = (file, status, text) => { file.status = status; file.bar.value = 100; file.note.textContent = text; file.row.className = status; show(); };

  // The first fifth of a bar is the upload, the rest is what the task says.
  const upload = (file) => new Promise((done) => {
    const body = new FormData();
    body.append("document_id", file.path);
    body.append("file", file.file, file.file.name);
    const call = new XMLHttpRequest();
    call.open("POST", form.dataset.path);
    call.setRequestHeader("X-CSRF-Token", csrf);
    call.upload.onprogress = (event) => { file.bar.value = (event.loaded / event.total) * 20; show(); };
    call.onerror = () => { finish(file, "failed", words.away); done(); };
    call.onload = () => {
      let answer = {};
      try { answer = JSON.parse(call.responseText); } catch { /* shown by its status */ }
      if (call.status === 202) {
        file.task = answer.task_id;
        file.note.href = `/tasks/${answer.task_id}`;
        file.note.textContent = names[answer.status];
        follow();
      } else finish(file, "failed", problem(answer, call.status));
      done();
    };
    call.send(body);
  });

  commands.upload = () => {
    const path = [...files.keys()].at(-1) || "FILE";
    return curl.sent("POST", form.dataset.path, ...curl.form({ document_id: path }, path));
  };

  const next = async () => {
    while (waiting.length && running < AT_ONCE) {
      running += 1;
      upload(waiting.shift()).then(() => { running -= 1; next(); });
    }
  };

  // One request for all files, however many.
  const follow = async () => {
    if (polling) return;
    polling = true;
    const kb = document.getElementById("kb").dataset.kb;
    for (;;) {
      const open = [...files.values()].filter((each) => each.task && !ENDED.includes(each.status));
      if (!open.length && !running && !waiting.length) break;
      const oldest = open.map((each) => each.task).sort()[0];
      if (oldest) {
        const since = new Date(parseInt(oldest.replaceAll("-", "").slice(0, 12), 16) - 1000).toISOString();
        let cursor = "";
        do {
          const page = await request("GET", `/api/v1/tasks?kb_id=${encodeURIComponent(kb)}&created_after=${since}&limit=500${cursor}`);
          if (!page) break;
          page.items.forEach((task) => {
            const file = open.find((each) => each.task === task.task_id);
            if (!file) return;
            if (ENDED.includes(task.status)) finish(file, task.status, task.error ? `${task.error.code}: ${told(task.error)}` : names[task.status]);
            else { file.status = task.status; file.bar.value = 20 + task.progress * 0.8; file.note.textContent = names[task.stage]; }
          });
          cursor = page.next_cursor ? `&cursor=${page.next_cursor}` : "";
        } while (cursor);
        show();
      }
      await new Promise((done) => setTimeout(done, 1500));
    }
    polling = false;
  };

  const add = (file, path) => {
    const row = document.createElement("li"), name = document.createElement("span"), bar = document.createElement("progress"), note = document.createElement("a");
    name.textContent = path;
    bar.max = 100; bar.value = 0; bar.setAttribute("aria-label", path);
    row.append(name, bar, note);
    list.append(row);
    const entry = { file, path, row, bar, note, status: "uploading", task: null };
    files.set(path, entry);
    waiting.push(entry);
    document.getElementById("uploads").hidden = false;
  };

  const walk = async (entry) => {
    if (entry.isFile) {
      const file = await new Promise((found, failed) => entry.file(found, failed));
      add(file, entry.fullPath.replace(/^\//, ""));
    } else {
      const reader = entry.createReader();
      for (;;) {
        // A reader gives at most 100 entries at a time.
        const entries = await new Promise((found, failed) => reader.readEntries(found, failed));
        if (!entries.length) break;
        for (const each of entries) await walk(each);
      }
    }
  };

  form.addEventListener("dragover", (event) => { event.preventDefault(); form.classList.add("over"); });
  form.addEventListener("dragleave", () => form.classList.remove("over"));
  form.addEventListener("drop", async (event) => {
    event.preventDefault();
    form.classList.remove("over");
    // Both are gone after the first pause.
    const plain = [...event.dataTransfer.files];
    const entries = [...event.dataTransfer.items].map((each) => each.webkitGetAsEntry && each.webkitGetAsEntry()).filter(Boolean);
    try {
      if (entries.length) for (const each of entries) await walk(each);
      else plain.forEach((each) => add(each, each.name));
    } catch (error) { toast(String(error), true); }
    show();
    next();
  });
  form.addEventListener("change", (event) => {
    [...event.target.files].forEach((each) => add(each, each.webkitRelativePath || each.name));
    event.target.value = "";
    show();
    next();
  });

  document.getElementById("samples")?.addEventListener("click", async (event) => {
    event.target.disabled = true;
    for (const name of event.target.dataset.names.split(" ")) add(new File([await (await fetch(`/samples/${name}`)).blob()], name), name);
    show();
    next();
  });

  const box = document.getElementById("search");
  const hits = document.getElementById("hits");
  const marked = (hit) => {
    // Offsets count characters, a script's strings count UTF-16 units.
    const text = [...hit.text], parts = [];
    let at = 0;
    hit.highlights.forEach(({ start, end }) => {
      const mark = document.createElement("mark");
      mark.textContent = text.slice(start, end).join("");
      parts.push(text.slice(at, start).join(""), mark);
      at = end;
    });
    parts.push(text.slice(at).join(""));
    return parts;
  };
  const asked = () => ({ query: box.elements.query.value, mode: box.elements.mode.value, limit: 10 });
  commands.search = () => curl.sent("POST", box.dataset.path, ...curl.json(asked()));
  box.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = await request("POST", box.dataset.path, asked());
    if (!answer) return;
    const summary = document.getElementById("search-summary");
    const values = { hits: answer.hits.length, ms: Math.round(answer.took_ms), confidence: answer.confidence.toFixed(2) };
    summary.textContent = answer.hits.length ? filled(summary.dataset.text, values) : summary.dataset.nothing;
    if (answer.degraded) summary.textContent += ` (${summary.dataset.degraded} ${answer.degraded.without.join(", ")}: ${answer.degraded.detail})`;
    hits.replaceChildren(...answer.hits.map((hit) => {
      const found = document.createElement("div"), head = document.createElement("p"), link = document.createElement("a"), text = document.createElement("div");
      found.className = "hit";
      link.href = `${hits.dataset.document}${encodeURIComponent(hit.document_id)}`;
      link.textContent = hit.document_id;
      const scores = Object.entries(hit.scores).filter(([, value]) => value !== null).map(([name, value]) => `${hits.dataset[name] || name} ${value.toFixed(2)}`).join(", ");
      const place = [hit.page ? `${hits.dataset.page} ${hit.page}` : "", ...hit.heading_path].filter(Boolean).join(" › ");
      head.append(link, ` ${place} — ${hit.score.toFixed(3)} (${scores})`);
      text.append(...marked(hit));
      text.className = "text";
      found.append(head, text);
      return found;
    }));
  });
  // Who comes with a question in the address is answered at once.
  if (box.elements.query.value) box.requestSubmit();
});
