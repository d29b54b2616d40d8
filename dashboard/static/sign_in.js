// Exchange a key for a cookie, and go where the browser wanted to go.
"use strict";
const form = document.getElementById("sign-in");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const refused = document.getElementById("refused");
  refused.textContent = "";
  try {
    const answer = await fetch(form.action, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ key: form.elements.key.value }) });
    if (answer.ok) location.assign(form.dataset.next);
    else {
      const problem = await answer.json();
      const said = document.body.dataset.language === "zh" ? [problem.detail_zh, problem.hint_zh] : [problem.detail, problem.hint];
      refused.textContent = said.filter(Boolean).join(" ");
    }
  } catch { refused.textContent = refused.dataset.away; }
});
