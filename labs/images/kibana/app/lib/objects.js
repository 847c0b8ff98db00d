'use strict';
// Saved objects, in Elasticsearch as the real ones: documents « type:id » of the index behind the alias .kibana.
const crypto = require('node:crypto');

const INDEX = '.kibana_8.10.3_001';

/** An answer given up on the way. */
class Answer extends Error {
  constructor(status, error, message) {
    super(message);
    this.status = status;
    this.body = { statusCode: status, error, message };
  }
}
const missing = (type, id) => new Answer(404, 'Not Found', `Saved object [${type}/${id}] not found`);

class Objects {
  constructor(elastic) { this.elastic = elastic; }

  /** Makes the index at the first start. */
  async prepare() {
    const there = await this.elastic.ask('HEAD', `/${INDEX}`);
    if (there.status === 200) return;
    const made = await this.elastic.ask('PUT', `/${INDEX}`, {
      settings: { number_of_shards: 1, auto_expand_replicas: '0-1', 'index.hidden': true }, aliases: { '.kibana': { is_hidden: true }, '.kibana_8.10.3': { is_hidden: true } },
      mappings: { dynamic: false, properties: { type: { type: 'keyword' }, updated_at: { type: 'date' } } },
    });
    if (made.status >= 300 && made.json?.error?.type !== 'resource_already_exists_exception') throw new Error(made.json?.error?.reason ?? made.text);
  }

  async all(type) {
    const found = await this.elastic.ask('POST', `/${INDEX}/_search`, { size: 1000, query: { term: { type } }, sort: ['updated_at'] });
    return (found.json?.hits?.hits ?? []).map((h) => ({ id: h._id.slice(type.length + 1), attributes: h._source[type] ?? {}, updated_at: h._source.updated_at, version: '1' }));
  }

  async get(type, id) {
    const one = await this.elastic.ask('GET', `/${INDEX}/_doc/${encodeURIComponent(`${type}:${id}`)}`);
    if (one.status !== 200) throw missing(type, id);
    return { id, attributes: one.json._source[type], updated_at: one.json._source.updated_at };
  }

  async put(type, attributes, id = crypto.randomUUID(), overwrite = false) {
    const updated = new Date().toISOString();
    const made = await this.elastic.ask('PUT', `/${INDEX}/${overwrite ? '_doc' : '_create'}/${encodeURIComponent(`${type}:${id}`)}?refresh=true`, { type, [type]: attributes, references: [], namespaces: ['default'], coreMigrationVersion: '8.8.0', updated_at: updated, created_at: updated });
    if (made.status === 409) throw new Answer(409, 'Conflict', `Saved object [${type}/${id}] conflict`);
    if (made.status >= 300) throw new Answer(500, 'Internal Server Error', 'An internal server error occurred. Check Kibana server logs for details.');
    return { id, attributes, updated_at: updated };
  }

  async remove(type, id) {
    const gone = await this.elastic.ask('DELETE', `/${INDEX}/_doc/${encodeURIComponent(`${type}:${id}`)}?refresh=true`);
    if (gone.status === 404) throw missing(type, id);
  }
}

module.exports = { Objects, Answer };
