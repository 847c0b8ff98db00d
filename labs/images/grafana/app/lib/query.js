'use strict';
// Queries of the Prometheus data source and their answer as data frames.
// Documentation: "Data source HTTP API" (POST /api/ds/query), "Data frames", "Prometheus data source".
const prometheus = require('./prometheus');
const { stepOf, fill, goDuration } = require('./interval');

/** name{label="value"} of a series, "{}" when it has no label. */
function seriesName(labels) {
  const name = labels.__name__;
  const rest = Object.keys(labels).filter((k) => k !== '__name__').sort().map((k) => `${k}=${JSON.stringify(labels[k])}`);
  if (!rest.length) return name ?? '{}';
  return `${name ?? ''}{${rest.join(', ')}}`;
}

/** Display name of a series: legend format, or "" when the front end is left to build it. */
function legend(model, expr, labels) {
  let text = seriesName(labels);
  if (model.legendFormat === '__auto') {
    if (Object.keys(labels).length) text = '';
  } else if (model.legendFormat) {
    text = String(model.legendFormat).replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label) => labels[label] ?? '');
  }
  return text === '{}' ? expr : text;
}

/** Numbers that JSON cannot carry go to `entities`, as the data plane's encoder does. */
function column(texts) {
  const entities = {};
  const values = texts.map((text, i) => {
    const v = { '+Inf': Infinity, Inf: Infinity, '-Inf': -Infinity, NaN }[text] ?? Number(text);
    if (Number.isFinite(v)) return v;
    const key = Number.isNaN(v) ? 'NaN' : v > 0 ? 'Inf' : 'NegInf';
    (entities[key] ||= []).push(i);
    return null;
  });
  return { values, entities: Object.keys(entities).length ? entities : null };
}

function frame(refId, { type, resultType, labels, samples, interval, displayName, executed, notices }) {
  const number = column(samples.map((s) => s[1]));
  const value = {
    name: labels.__name__ ?? 'Value', type: 'number', typeInfo: { frame: 'float64' }, labels,
    ...(displayName ? { config: { displayNameFromDS: displayName } } : {}),
  };
  if (resultType === 'scalar') delete value.labels;
  return {
    schema: {
      refId,
      meta: { type, typeVersion: [0, 1], custom: { resultType }, ...(notices.length ? { notices } : {}), ...(executed ? { executedQueryString: executed } : {}) },
      fields: [{ name: 'Time', type: 'time', typeInfo: { frame: 'time.Time' }, config: { interval } }, value],
    },
    data: {
      values: [samples.map((s) => Math.floor(s[0] * 1000)), number.values],
      ...(number.entities ? { entities: [null, number.entities] } : {}),
    },
  };
}

const emptyFrame = (refId, executed, notices) => ({
  schema: { refId, meta: { typeVersion: [0, 0], ...(notices.length ? { notices } : {}), executedQueryString: executed }, fields: [] },
  data: { values: [] },
});

/** Turns one Prometheus answer into frames; an answer that is no Prometheus answer is an error. */
function read(answer, refId, model, expr, step) {
  let json;
  try { json = JSON.parse(answer.body.toString('utf8')); } catch {
    return { error: `ReadObject: expect { or , or } or n, but found ${answer.body.subarray(0, 1).toString() || '\u0000'}, error found in #1 byte of ...|${answer.body.subarray(0, 10)}|..., bigger context ...|${answer.body.subarray(0, 60)}|...`, frames: [] };
  }
  const executed = `Expr: ${expr}\nStep: ${goDuration(step)}`;
  if (json.status === 'error') {
    return { error: `${json.errorType ?? ''}: ${json.error ?? ''}`, frames: [emptyFrame(refId, executed, [])] };
  }
  const resultType = json.data?.resultType;
  if (!resultType) return { error: 'no resultType found', frames: [emptyFrame(refId, executed, [])] };
  const notices = [...(json.warnings ?? []).map((text) => ({ severity: 'warning', text })), ...(json.infos ?? []).map((text) => ({ severity: 'info', text }))];
  let list;
  if (resultType === 'matrix') list = json.data.result.map((r) => ({ labels: r.metric, samples: r.values ?? [] }));
  else if (resultType === 'vector') list = json.data.result.map((r) => ({ labels: r.metric, samples: r.value ? [r.value] : [] }));
  else if (resultType === 'scalar') list = [{ labels: {}, samples: [json.data.result] }];
  else return { error: `unknown result type: ${resultType}`, frames: [emptyFrame(refId, executed, [])] };
  if (!list.length) return { frames: [emptyFrame(refId, executed, notices)] };
  const type = resultType === 'matrix' ? 'timeseries-multi' : 'numeric-multi';
  return {
    frames: list.map((s, i) => frame(refId, {
      type, resultType, labels: s.labels, samples: s.samples, interval: step, notices,
      displayName: legend(model, expr, s.labels), executed: i === 0 ? executed : '',
    })),
  };
}

/**
 * Runs one query of POST /api/ds/query.
 * @param {object} ds data source
 * @param {object} model the query as sent (refId, expr, instant, range, intervalMs, maxDataPoints, …)
 * @param {{from: number, to: number}} range milliseconds since 1970
 * @returns {Promise<object>} the value of results.<refId>
 */
async function run(ds, model, { from, to }) {
  const refId = model.refId || 'A';
  const scrape = ds.jsonData?.timeInterval ?? '';
  const fail = (error, status, frames) => ({ error: String(error), errorSource: 'downstream', status, ...(frames ? { frames } : {}) });
  let step;
  let expr;
  try {
    const range = to - from;
    step = stepOf({ range, maxDataPoints: model.maxDataPoints ?? 100, interval: model.interval, intervalMs: model.intervalMs, intervalFactor: model.intervalFactor, scrape });
    expr = fill(String(model.expr ?? ''), { step, interval: model.interval, intervalMs: model.intervalMs ?? 1000, scrape, range });
  } catch (err) {
    return fail(err.message, 500);
  }
  const offset = (model.utcOffsetSec ?? 0) * 1000;
  const align = (t) => (Math.floor((t + offset) / step) * step - offset) / 1000;
  const kinds = [];
  if (model.instant) kinds.push(['api/v1/query', { query: expr, time: String(to / 1000) }]);
  if (model.range || !model.instant) kinds.push(['api/v1/query_range', { query: expr, start: String(align(from)), end: String(align(to)), step: String(step / 1000) }]);
  const frames = [];
  let error = '';
  let status = 200;
  for (const [endpoint, values] of kinds) {
    let answer;
    try { answer = await prometheus.call(ds, endpoint, values); } catch (err) {
      error = error ? `${error} ${err.message}` : err.message;
      status = 502;
      continue;
    }
    const part = read(answer, refId, model, expr, step);
    if (part.error) {
      error = error ? `${error} ${part.error}` : part.error;
      status = answer.status === 200 ? 500 : answer.status;
    }
    frames.push(...part.frames);
  }
  return error ? fail(error, status, frames) : { status, frames };
}

/** GET /api/datasources/uid/:uid/health: the query 1+1, then what kind of server it is. */
async function health(ds) {
  const tail = 'There was an error returned querying the Prometheus API.';
  let message = 'Successfully queried the Prometheus API.';
  let ok = true;
  try {
    const answer = await prometheus.call(ds, 'api/v1/query', { query: '1+1', time: '4' });
    if (answer.status !== 200) throw new Error(`${answer.status} ${answer.statusText}`.trim());
    const part = read(answer, '__healthcheck__', {}, '1+1', 15000);
    if (part.error) throw new Error(part.error);
  } catch (err) {
    message = `${err.message} - ${tail}`;
    ok = false;
  }
  const payload = { message, status: ok ? 'OK' : 'ERROR' };
  try {
    const info = await prometheus.send(ds, { method: 'GET', endpoint: 'api/v1/status/buildinfo' });
    const features = info.status === 200 ? JSON.parse(info.body.toString()).data?.features : null;
    if (info.status === 200) {
      const mimir = Boolean(features && Object.keys(features).length);
      payload.details = { application: mimir ? 'Mimir' : 'Prometheus', features: { rulerApiEnabled: mimir } };
    }
  } catch { /* no details then */ }
  return { ok, payload };
}

module.exports = { run, health, legend };
