const express = require("express")
const Redis = require("ioredis")
const { Client } = require("pg")
const client = require("prom-client")

const hits = new client.Counter({ name: "app_requests_total", help: "hits", labelNames: ["method", "endpoint"] })
const seconds = new client.Histogram({ name: "app_request_latency_seconds", help: "latency", labelNames: ["endpoint"] })

const redis = new Redis(process.env.REDIS_URL, { maxRetriesPerRequest: 1, commandTimeout: 1000 })
redis.on("error", e => console.log("redis", e.message))

// One connection per miss: nothing to keep, nothing to lose.
async function clock() {
  const db = new Client({ connectionString: process.env.DATABASE_URL, connectionTimeoutMillis: 2000, query_timeout: 2000 })
  db.on("error", e => console.log("postgres", e.message))
  try {
    await db.connect()
    const { rows: [row] } = await db.query("select to_char(now(), 'YYYY-MM-DD HH24:MI:SS.US') as d")
    return row.d
  } finally {
    db.end().catch(() => {})
  }
}

const app = express()

app.get("/health", (req, res) => {
  hits.labels("GET", "/health").inc()
  res.status(200).send({ status: "healthy", uptime: process.uptime() })
})

app.get("/api/data", (req, res) => {
  const end = seconds.labels("/api/data").startTimer()
  hits.labels("GET", "/api/data").inc()
  redis.get("horloge")
    .then(v => v
      ? { source: "cache", data: v }
      : clock().then(d => redis.setex("horloge", 60, d).then(() => ({ source: "database", data: d }))))
    .then(body => res.json(body), e => res.status(502).json({ error: String(e) }))
    .finally(end)
})

app.get("/metrics", (req, res) => {
  client.register.metrics().then(text => res.type(client.register.contentType).send(text))
})

app.listen(5000)
