// The tutorial by a client whose types openapi-typescript has generated from /openapi.json. An argument is the address.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./service.d.ts";

const client = createClient<paths>({ baseUrl: process.argv[2] ?? "http://localhost:8084" });
const kb_id = "generated-typescript";
const kb = { params: { path: { kb_id } } };
const text = "# Tea\n\n## Brewing\n\nGreen tea is brewed at 80 °C.\n\n绿茶要用八十度的水冲泡两分钟。\n";

/** The task once it has ended. */
async function ended(accepted: components["schemas"]["AcceptedTask"] | undefined): Promise<components["schemas"]["Task"]> {
  if (!accepted) throw new Error("it was not accepted");
  const params = { path: { task_id: accepted.task_id }, query: { wait: 20 } };
  while (true) {
    const { data, error } = await client.GET("/api/v1/tasks/{task_id}", { params });
    if (!data) throw new Error(error.detail);
    if (["completed", "failed", "cancelled"].includes(data.status)) return data;
  }
}

/** Upload a document. */
async function upload(name: string, content: string): Promise<components["schemas"]["Task"]> {
  const { data, error } = await client.POST("/api/v1/kbs/{kb_id}/documents", {
    ...kb,
    body: { file: content },
    bodySerializer(body) {
      const form = new FormData();
      form.set("file", new Blob([body.file]), name);
      return form;
    },
  });
  if (error) throw new Error(error.hint);
  return ended(data);
}

const first = await upload("tea.md", text);
assert.equal(first.status, "completed");
const found = await client.POST("/api/v1/kbs/{kb_id}/search", { ...kb, body: { query: "冲泡绿茶的水温" } });
assert.equal(found.data?.hits[0]?.document_id, "tea.md");
assert.deepEqual(found.data.hits[0].heading_path, ["Tea", "Brewing"]);

const failed = await upload("report.pdf", "not a PDF");
assert.equal(failed.error?.code, "corrupt");

await upload("tea.md", text.replace("80 °C", "75 °C"));
const again = await client.POST("/api/v1/kbs/{kb_id}/search", { ...kb, body: { query: "temperature of tea: 75" } });
assert.match(again.data?.hits[0]?.text ?? "", /75 °C/);

// @ts-expect-error: the types know which task types there are.
const wrong = await client.POST("/api/v1/tasks", { body: { task_type: "nothing" } });
assert.equal(wrong.response.status, 422);
assert.equal(wrong.error?.code, "invalid_request");

const deletion = await ended((await client.DELETE("/api/v1/kbs/{kb_id}", kb)).data);
assert.equal(deletion.status, "completed");
assert.equal((await client.GET("/api/v1/kbs/{kb_id}", kb)).response.status, 404);
console.log("completed");
