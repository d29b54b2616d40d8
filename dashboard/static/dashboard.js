// What pages do besides showing: times in the viewer's zone, actions, curl, keys, pause. htmx brings what changes.
"use strict";
(() => {
  const words = document.getElementById("words").dataset;
  const csrf = document.querySelector("meta[name=csrf]").content;
  const language = document.body.dataset.language === "zh" ? "zh-CN" : navigator.language;
  const fields = { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false };
  const short = new Intl.DateTimeFormat(language, fields);
  const dated = new Intl.DateTimeFormat(language, { year: "numeric", ...fields });
  // The viewer's clock is ahead of the service's by so many milliseconds.
  const ahead = Date.now() - Date.parse(words.now);

  const lasting = (since) => {
    const seconds = Math.max(0, Math.round((Date.now() - ahead - since) / 1000));
    const parts = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]].map(([unit, size], place, all) => [unit, Math.floor((place ? seconds % all[place - 1][1] : seconds) / size)]);
    const first = Math.max(0, parts.findIndex(([, count]) => count));
    return seconds ? parts.slice(first, first + 2).map(([unit, count]) => `${count} ${unit}`).join(" ") : "0 s";
  };
  const write = (each) => {
    const at = new Date(each.dateTime);
    const text = each.classList.contains("age") ? lasting(at) : (at.getFullYear() === new Date().getFullYear() ? short : dated).format(at);
    if (each.textContent !== text) each.textContent = text;
  };
  const localise = () => document.querySelectorAll("time[datetime]").forEach(write);
  setInterval(() => document.querySelectorAll("time.age").forEach(write), 1000);

  const toast = (text, bad = false, link = null) => {
    const box = document.createElement("div");
    box.textContent = text;
    if (bad) box.className = "bad";
    if (link) { const a = document.createElement("a"); a.href = link; a.textContent = " " + link; box.append(a); }
    document.getElementById("toasts").append(box);
    // What is to be read, or followed, stays longer.
    setTimeout(() => box.remove(), link ? 30000 : bad ? 15000 : 6000);
  };

  const dialog = document.getElementById("ask");
  // Answers null, or what was written where something was asked for.
  const ask = (title, lines, asked = null) => new Promise((answer) => {
    dialog.querySelector("h2").textContent = title;
    const body = dialog.querySelector(".body"), label = document.createElement("label"), input = document.createElement("input");
    input.name = "asked";
    label.append(asked, input);
    body.replaceChildren(...lines.map((line) => { const p = document.createElement("p"); p.textContent = line; return p; }), ...(asked ? [label] : []));
    dialog.onclick = (event) => {
      if (event.target.tagName === "BUTTON") dialog.close(event.target.value);
    };
    // Enter that only ends the composition of a Chinese character, in Safari by its code alone, sends nothing.
    input.onkeydown = (event) => { if (event.key === "Enter" && !event.isComposing && event.keyCode !== 229) dialog.close("yes"); };
    dialog.onclose = () => answer(dialog.returnValue === "yes" ? input.value.trim() : null);
    dialog.returnValue = "no";
    dialog.showModal();
  });

  const inLanguage = (given, name) => (document.body.dataset.language === "zh" && given[`${name}_zh`]) || given[name];
  // What happened to a task is said in English alone.
  const told = (error) => (document.body.dataset.language === "zh" && error.hint_zh) || error.message;
  const problem = (answer, status) => {
    const fields = (answer.errors || []).map((each) => `${each.field}: ${inLanguage(each, "message")}`).join("; ");
    return [inLanguage(answer, "detail") || `${words.failed} (${status})`, fields, inLanguage(answer, "hint")].filter(Boolean).join(" ");
  };

  // Every action is a request of the REST API, with the session's cookie and its token.
  const request = async (method, path, body) => {
    const headers = { "X-CSRF-Token": csrf, Accept: "application/json" };
    // A form says its type by itself.
    const isForm = body instanceof FormData;
    if (body !== undefined && !isForm) headers["Content-Type"] = "application/json";
    let response;
    try {
      response = await fetch(path, { method, headers, body: body === undefined || isForm ? body : JSON.stringify(body) });
    } catch {
      toast(words.away, true);
      return null;
    }
    const text = await response.text();
    let answer = {};
    try { answer = text ? JSON.parse(text) : {}; } catch { /* not JSON: shown by its status */ }
    if (!response.ok) { toast(problem(answer, response.status), true); return null; }
    return answer;
  };

  const refresh = () => htmx.ajax("GET", location.href, { target: "#live", select: "#live > *", swap: "innerMorph" });

  const bodyOf = (button) => {
    if (button.dataset.body === undefined) return undefined;
    const chosen = button.parentElement.querySelector("select");
    return { ...JSON.parse(button.dataset.body), ...(chosen ? { [chosen.name]: chosen.value } : {}) };
  };

  const act = async (button) => {
    const { method, path, confirm, preview, asks, asked } = button.dataset;
    let body = bodyOf(button);
    const option = button.parentElement.querySelector("select")?.selectedOptions[0].textContent;
    const title = option ? `${button.textContent}: ${option}` : button.textContent;
    if (preview) {
      const found = await request(method, path, { ...body, dry_run: true });
      if (!found) return;
      const count = found.capped ? `${found.count.toLocaleString()}+` : found.count.toLocaleString();
      const examples = (found.examples || []).map((each) => each.document_id || each.task_id || each.callback_id || (typeof each === "string" ? each : JSON.stringify(each)));
      if ((await ask(title, [words.found.replace("%s", count), ...(examples.length ? [words.examples, ...examples] : [])])) === null) return;
    } else if (confirm) {
      const written = await ask(button.textContent, [confirm], asked);
      if (written === null) return;
      if (written) body = { ...body, [asks]: written };
    }
    button.disabled = true;
    const answer = await request(method, path, preview ? { ...body, dry_run: false } : body);
    button.disabled = false;
    if (!answer) return;
    toast(preview && answer.task_id ? words.working : words.done, false, preview && answer.task_id ? `/tasks/${answer.task_id}` : null);
    // Whoever acts sees what came of it, and does not wait for the stream.
    refresh();
  };

  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const KEY = '-H "Authorization: Bearer $API_KEY"';
  const sent = (method, path, ...parts) => ["curl", "-X", method, KEY, ...parts, quoted(location.origin + path)].join(" ");
  const json = (body) => (body === undefined ? [] : ["-H 'Content-Type: application/json'", "-d", quoted(JSON.stringify(body))]);
  // A value may begin with an @, and a file's name hold commas and semicolons, which curl would take for its own.
  const form = (fields, file) => [
    ...Object.entries(fields).map(([name, value]) => `--form-string ${quoted(`${name}=${value}`)}`),
    `-F ${quoted(file === "-" ? "file=@-;filename=text.txt" : `file=@"${file.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`)}`,
  ];
  // What forms do, by their names.
  const commands = {};
  const curl = (button) => {
    if (button.dataset.command) return commands[button.dataset.command]();
    const { method, path } = button.previousElementSibling.dataset;
    return sent(method, path, ...json(bodyOf(button.previousElementSibling)));
  };

  const copy = async (text) => {
    // On plain HTTP a browser gives no clipboard: the text is shown to be copied by hand.
    if (navigator.clipboard && window.isSecureContext) { await navigator.clipboard.writeText(text); toast(`${words.copied} ${text}`); } else toast(text);
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.method) act(button);
    else if (button.classList.contains("curl")) copy(curl(button));
    else if (button.id === "sign-out") request("DELETE", "/api/v1/session").then((answer) => answer && location.assign("/sign-in"));
    else if (button.closest("#keys")) document.getElementById("keys").close();
  });

  // Addresses have times in UTC, and fields show them as the viewer's clock does.
  const local = (at) => new Date(at - at.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
  document.querySelectorAll("input[data-at]").forEach((input) => {
    const at = new Date(input.dataset.at);
    if (!Number.isNaN(at.getTime())) input.dataset.shown = input.value = local(at);
  });
  // What is not filled in stays out of the address.
  document.addEventListener("formdata", ({ target, formData }) => {
    if (target.method !== "get") return;
    target.querySelectorAll("input[data-at]").forEach(({ name, value, dataset }) => {
      formData.set(name, value && (value === dataset.shown ? dataset.at : new Date(value).toISOString()));
    });
    [...formData].forEach(([name, value]) => { if (value === "") formData.delete(name); });
  });

  const pause = document.getElementById("pause");
  const paused = () => pause.getAttribute("aria-pressed") === "true";
  pause.addEventListener("click", () => {
    pause.setAttribute("aria-pressed", String(!paused()));
    pause.textContent = paused() ? words.resume : words.pause;
    catchUp();
  });

  // Rows stay where they are under the mouse: what would move them waits until it has gone.
  const live = document.getElementById("live");
  const canHover = matchMedia("(hover: hover)").matches;
  const pointedAt = () => canHover && live.querySelector("tbody:hover") !== null;
  const order = (root) => [...root.querySelectorAll("tbody tr[id]")].map((each) => each.id).join();
  let held = false;
  const catchUp = () => { if (held && !paused() && !pointedAt()) { held = false; refresh(); } };
  const asOf = document.querySelector("#as-of time");
  document.addEventListener("htmx:sse:before:message", (event) => {
    const { data, id } = event.detail.message;
    const moved = () => order(new DOMParser().parseFromString(data, "text/html")) !== order(live);
    // A message without data says that nothing has changed up to a moment.
    if (data && (paused() || (pointedAt() && moved()))) held = event.detail.cancelled = true;
    if (held || !asOf || !id) return;
    asOf.dateTime = id;
    asOf.title = `${new Date(id).toISOString().replace("T", " ").slice(0, 19)} UTC`;
    write(asOf);
  });
  live.addEventListener("mouseout", () => setTimeout(catchUp));
  document.addEventListener("htmx:after:swap", () => { localise(); document.dispatchEvent(new CustomEvent("shown")); });

  let going = false;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
    if (going) {
      going = false;
      document.querySelector(`nav a[data-key="${CSS.escape(event.key)}"]`)?.click();
    } else if (event.key === "g") going = true;
    else if (event.key === "?") document.getElementById("keys").showModal();
    else if (event.key === "p") pause.click();
    else if (event.key === "/") { event.preventDefault(); document.querySelector("main input:not([type=checkbox], [type=file]), main select")?.focus(); }
  });

  // On a phone the list of pages is wider than the screen.
  document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  window.dashboard = { request, toast, words, csrf, language, problem, told, commands, curl: { sent, json, form, quoted, KEY } };
  localise();
  document.dispatchEvent(new CustomEvent("shown"));
})();
