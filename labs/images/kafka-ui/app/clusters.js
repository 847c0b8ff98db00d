// The clusters that KAFKA_CLUSTERS_<n>_* name, really asked through a Kafka client.
import { Kafka, logLevel } from "kafkajs";

const FRESH = 2000; // ms during which a state is not asked again
const PATIENCE = 4000; // ms

/** @returns {{name: string, servers: string[], readOnly: boolean}[]} in the order of their numbers */
export function configured(env) {
  const found = new Map();
  for (const [key, value] of Object.entries(env)) {
    const m = /^KAFKA_CLUSTERS_(\d+)_(NAME|BOOTSTRAPSERVERS|READONLY)$/i.exec(key);
    if (!m) continue;
    const one = found.get(Number(m[1])) ?? {};
    one[m[2].toUpperCase()] = value.trim();
    found.set(Number(m[1]), one);
  }
  return [...found.keys()].sort((a, b) => a - b).map((n) => ({
    name: found.get(n).NAME || "Default",
    servers: (found.get(n).BOOTSTRAPSERVERS ?? "").split(",").map((s) => s.trim()).filter(Boolean),
    readOnly: found.get(n).READONLY?.toLowerCase() === "true",
  }));
}

function within(ms, work) {
  let timer;
  const late = new Promise((_, no) => { timer = setTimeout(() => no(new Error(`no answer within ${ms} ms`)), ms); });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

export class Cluster {
  constructor({ name, servers, readOnly }) {
    Object.assign(this, { name, servers, readOnly, status: "initializing", error: null, at: 0, asking: null, topics: [], brokers: [], controller: null });
  }

  /** Runs `work(admin)` on a connection of its own, closed whatever happens. */
  async admin(work) {
    if (this.servers.length === 0) throw new Error("bootstrapServers is not set");
    const kafka = new Kafka({ clientId: "kafka-ui", brokers: this.servers, logLevel: logLevel.NOTHING, connectionTimeout: 2000, requestTimeout: 3000, retry: { retries: 0 } });
    const admin = kafka.admin();
    try {
      return await within(PATIENCE, admin.connect().then(() => work(admin)));
    } finally {
      admin.disconnect().catch(() => {});
    }
  }

  /** Asks the cluster again unless its state is fresh; never throws. */
  async refresh() {
    if (Date.now() - this.at < FRESH) return;
    this.asking ??= this.ask().finally(() => { this.asking = null; });
    await this.asking;
  }

  async ask() {
    const before = this.status;
    try {
      await this.admin(async (admin) => {
        const { brokers, controller } = await admin.describeCluster();
        const { topics } = await admin.fetchTopicMetadata();
        this.brokers = brokers;
        this.controller = controller;
        this.topics = topics.sort((a, b) => a.name.localeCompare(b.name));
      });
      this.status = "online";
      this.error = null;
    } catch (e) {
      this.status = "offline";
      this.error = String(e.message ?? e);
      this.brokers = [];
      this.topics = [];
    }
    this.at = Date.now();
    if (this.status !== before) {
      console.log(`${new Date().toISOString()} ${this.status === "online" ? "INFO " : "ERROR"} cluster ${this.name} (${this.servers.join(",")}): ${this.status}${this.error ? `: ${this.error}` : ""}`);
    }
  }

  summary() {
    const partitions = this.topics.flatMap((t) => t.partitions);
    const online = partitions.filter((p) => p.leader >= 0).length;
    return {
      name: this.name,
      defaultCluster: null,
      status: this.status,
      lastError: this.error ? { message: this.error, stackTrace: null } : null,
      brokerCount: this.brokers.length,
      onlinePartitionCount: online,
      topicCount: this.topics.length,
      bytesInPerSec: null,
      bytesOutPerSec: null,
      readOnly: this.readOnly,
      version: "Unknown",
      features: this.readOnly ? [] : ["TOPIC_DELETION"],
    };
  }

  topic(one) {
    const replicas = one.partitions.flatMap((p) => p.replicas).length;
    const inSync = one.partitions.flatMap((p) => p.isr).length;
    return {
      name: one.name,
      internal: one.name.startsWith("__"),
      partitionCount: one.partitions.length,
      replicationFactor: one.partitions[0]?.replicas.length ?? 0,
      replicas,
      inSyncReplicas: inSync,
      underReplicatedPartitions: one.partitions.filter((p) => p.isr.length < p.replicas.length).length,
      cleanUpPolicy: "DELETE",
      partitions: one.partitions.map((p) => ({
        partition: p.partitionId,
        leader: p.leader,
        replicas: p.replicas.map((b) => ({ broker: b, leader: b === p.leader, inSync: p.isr.includes(b) })),
      })),
    };
  }
}
