// A stand-in for Kafka UI: the same paths and the same variables, a plain page.
import { createServer } from "node:http";
import { Cluster, configured } from "./clusters.js";

const port = Number(process.env.SERVER_PORT || 8080);
const base = (process.env.SERVER_SERVLET_CONTEXT_PATH ?? "").replace(/\/+$/, "");
const clusters = configured(process.env).map((c) => new Cluster(c));

const json = (res, code, body) => {
  res.writeHead(code, { "Content-Type": "application/json" });
  res.end(JSON.stringify(body));
};
const absent = (res, message) => json(res, 404, { code: 4007, message, timestamp: Date.now(), requestId: null, fieldsErrors: null, stackTrace: null });
const text = (s) => String(s).replace(/[&<>"']/g, (c) => `&#${c.codePointAt(0)};`);

async function body(req) {
  let all = "";
  for await (const part of req) {
    all += part;
    if (all.length > 1e6) throw new Error("too large");
  }
  return JSON.parse(all || "{}");
}

function page() {
  const rows = clusters.map((c) => `<tr><td>${text(c.name)}</td><td>${text(c.servers.join(", "))}</td><td>${c.status}</td><td>${c.brokers.length}</td><td>${c.topics.map((t) => text(t.name)).join(", ")}</td></tr>`);
  return `<!DOCTYPE html><html lang="fr"><head><meta charset="utf-8"><title>UI for Apache Kafka</title></head><body>
<h1>UI for Apache Kafka</h1><p>Image hors ligne : une doublure, qui interroge vraiment Kafka mais n’a que cette page.</p>
<table border="1"><tr><th>Cluster</th><th>Adresses</th><th>État</th><th>Courtiers</th><th>Topics</th></tr>${rows.join("")}</table></body></html>`;
}

async function topics(cluster, rest, url, req, res) {
  if (req.method === "POST" && rest.length === 0) {
    if (cluster.readOnly) return json(res, 405, { code: 4051, message: "This cluster is in read-only mode." });
    const { name, partitions = 1, replicationFactor = 1 } = await body(req);
    const made = await cluster.admin((a) => a.createTopics({ topics: [{ topic: name, numPartitions: partitions, replicationFactor }] }));
    cluster.at = 0;
    await cluster.refresh();
    const one = cluster.topics.find((t) => t.name === name);
    return made && one ? json(res, 200, cluster.topic(one)) : json(res, 400, { code: 4001, message: `Topic '${name}' already exists.` });
  }
  if (rest.length === 1) {
    const one = cluster.topics.find((t) => t.name === rest[0]);
    return one ? json(res, 200, cluster.topic(one)) : absent(res, `Topic not found: ${rest[0]}`);
  }
  const search = url.searchParams.get("search") ?? "";
  const internal = url.searchParams.get("showInternal") === "true";
  const size = Math.max(1, Number(url.searchParams.get("perPage")) || 25);
  const first = (Math.max(1, Number(url.searchParams.get("page")) || 1) - 1) * size;
  const list = cluster.topics.map((t) => cluster.topic(t)).filter((t) => (internal || !t.internal) && t.name.includes(search));
  return json(res, 200, { pageCount: Math.ceil(list.length / size), topics: list.slice(first, first + size) });
}

async function handle(req, res) {
  const url = new URL(req.url, "http://localhost");
  if (!url.pathname.startsWith(base)) return absent(res, "not found");
  const path = url.pathname.slice(base.length).split("/").filter(Boolean).map(decodeURIComponent);
  const where = path.slice(0, 2).join("/");
  if (where === "actuator/health") return json(res, 200, path[2] ? { status: "UP" } : { status: "UP", groups: ["liveness", "readiness"] });
  if (where === "actuator/info") return json(res, 200, { build: { name: "kafka-ui-api", version: "offline" } });
  await Promise.all(clusters.map((c) => c.refresh()));
  if (path.length === 0 || path[0] === "ui") {
    res.writeHead(200, { "Content-Type": "text/html; charset=utf-8" });
    return res.end(page());
  }
  if (where !== "api/clusters") return absent(res, "image hors ligne : ce chemin n'y est pas");
  if (path.length === 2) return json(res, 200, clusters.map((c) => c.summary()));
  const cluster = clusters.find((c) => c.name === path[2]);
  if (!cluster) return absent(res, `Cluster with name '${path[2]}' not found`);
  if (cluster.status !== "online") return json(res, 500, { code: 5000, message: cluster.error, timestamp: Date.now() });
  switch (path[3]) {
    case "topics": return topics(cluster, path.slice(4), url, req, res);
    case "brokers": return json(res, 200, cluster.brokers.map((b) => ({ id: b.nodeId, host: b.host, port: b.port })));
    case "stats": return json(res, 200, { brokerCount: cluster.brokers.length, activeControllers: cluster.controller, onlinePartitionCount: cluster.summary().onlinePartitionCount, offlinePartitionCount: cluster.topics.flatMap((t) => t.partitions).filter((p) => p.leader < 0).length });
    case "consumer-groups": {
      const { groups } = await cluster.admin((a) => a.listGroups());
      return json(res, 200, { pageCount: groups.length ? 1 : 0, consumerGroups: groups.map((g) => ({ groupId: g.groupId })) });
    }
    default: return absent(res, "image hors ligne : ce chemin n'y est pas");
  }
}

const server = createServer((req, res) => {
  handle(req, res).catch((e) => { if (!res.headersSent) json(res, 500, { code: 5000, message: String(e.message ?? e) }); });
});
server.listen(port, "::", () => console.log(`${new Date().toISOString()} INFO  Netty started on port ${port} (doublure de Kafka UI, image hors ligne de TP Docker)`));
for (const c of clusters) c.refresh();
for (const name of ["SIGTERM", "SIGINT"]) process.on(name, () => process.exit(name === "SIGTERM" ? 143 : 130));
